"""What a family's training is to whoever runs it. Training only: nothing that serves imports this."""

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor, nn


class Training(Protocol):
    """The algorithm of one model: a step at a time, over batches that it is given.

    All randomness comes from torch's global generator, which the loop seeds before each step: a run that was
    interrupted goes on exactly as if it had not been.
    """

    def step(self, batch: tuple[Tensor, ...], progress: float) -> Mapping[str, Tensor]:
        """Learn from a batch; `progress` runs from 0 to 1. Answers with its losses by name."""
        ...

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """All networks, averages too: what a checkpoint holds."""
        ...

    @property
    def optimisers(self) -> Mapping[str, Any]:
        """All optimisers, whose state a checkpoint holds as well."""
        ...
