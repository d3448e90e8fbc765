"""Learning to write one sequence for another: teacher forcing (Raffel et al. 2020, "T5", section 3.1.2)."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sextant.families.descent import Descent

_WARM_UP = 0.03
IGNORED = -100  # targets that do not count, as transformers has it


class Seq2SeqTraining:
    """AdamW on the cross-entropy of each next token of the target; the learning rate falls along a half cosine.

    `network` is transformers' T5ForConditionalGeneration: its weights are what an import reads.
    """

    def __init__(self, network: nn.Module, *, rate: float, padding: int) -> None:
        self.network, self._padding = network, padding
        self._descent = Descent(network.parameters(), rate, warm_up=_WARM_UP, betas=(0.9, 0.99), weight_decay=0.01)

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        return {"network": self.network}

    @property
    def optimisers(self) -> Mapping[str, Any]:
        return {"adam": self._descent.adam}

    def step(self, batch: tuple[Tensor, ...], progress: float) -> Mapping[str, Tensor]:
        """`batch` is (source uint8[b, s], target uint8[b, t]), each ended by its end token and then padded."""
        source, target = (_without_common_padding(ids.long(), self._padding) for ids in batch)
        self.network.train()
        with torch.autocast("cpu", torch.bfloat16):
            said = self.network(
                input_ids=source,
                attention_mask=(source != self._padding).long(),
                labels=target.masked_fill(target == self._padding, IGNORED),
            )
        self._descent.step(said.loss, progress)
        return {"nats": said.loss.detach()}


def _without_common_padding(ids: Tensor, padding: int) -> Tensor:
    """The columns up to the longest row's end."""
    return ids[:, : int((ids != padding).sum(1).max())]
