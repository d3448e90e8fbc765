"""What a recipe is: everything that makes one shipped model out of its data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from sextant.bundles.store import Bundle
from sextant.families.training import Training
from sextant.zoo.data.location import zoo_directory
from sextant.zoo.loop import run


@dataclass(frozen=True)
class Recipe:
    """One model: `build` makes its untrained networks, `data` its tensors, `publish` its bundle.

    `core_hours` is what the training of the shipped model took on one core of a server CPU that it shared, so at most.
    """

    name: str
    family: str
    summary: str
    data: Callable[[], Sequence[Tensor]]
    build: Callable[[], Any]
    publish: Callable[[Any, str, Path], Bundle]
    steps: int
    batch: int
    seed: int = 0
    core_hours: float = 0.0

    @property
    def checkpoint(self) -> Path:
        """Where its training is kept."""
        return zoo_directory() / "checkpoints" / f"{self.name}.pt"

    def untrained(self) -> Training:
        """The training at its first step, the same for the same seed."""
        torch.manual_seed(self.seed)
        training: Training = self.build()
        return training

    def train(self, console: Console, stop_at: int | None = None, threads: int = 1) -> tuple[Training, float]:
        """The trained networks and the seconds of work in them; goes on where an earlier run ended."""
        torch.set_num_threads(threads)
        training = self.untrained()
        seconds = run(
            training,
            self.data(),
            steps=self.steps,
            batch=self.batch,
            seed=self.seed,
            checkpoint=self.checkpoint,
            console=console,
            stop_at=stop_at,
        )
        return training, seconds
