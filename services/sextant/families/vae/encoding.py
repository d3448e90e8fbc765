"""Encoding with a VAE: a picture to a latent, in one call. The way back is `families.decoding`."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sextant.contract.events import Result
from sextant.contract.media import Latent
from sextant.families.decoding import with_label
from sextant.families.row_states import Rows

ENCODER = "encoder"


@dataclass(slots=True)
class Encoding:
    """`pixels` float32[c, h, w] on their way to q(z | x), mean and variance in the latent space `space`."""

    index: int
    pixels: NDArray[np.float32]
    label: int | None
    space: str
    latent: Latent | None = None
    done: bool = False
    steps_done: int = 0
    steps_total: int = 1
    network: str = ENCODER

    def inputs(self) -> Rows:
        """The picture."""
        return with_label("image", self.pixels[None], self.label)

    def take(self, outputs: Rows) -> None:
        """Mean and log-variance [1, d]."""
        mean, variance = outputs["mean"][0].copy(), np.exp(outputs["log_variance"][0])
        self.latent = Latent(self.space, mean, variance)
        self.done, self.steps_done = True, 1

    def result(self) -> Result:
        """The latent."""
        if self.latent is None:
            raise RuntimeError("the picture has not been encoded yet")
        return Result(self.index, self.latent)
