"""The tasks of a VAE that take a single call: a picture to a latent, a latent to a picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sextant.contract.events import Result
from sextant.contract.media import Image, Latent
from sextant.families.pixels import to_image
from sextant.families.row_states import Rows

ENCODER, DECODER = "encoder", "decoder"


def with_label(name: str, rows: NDArray[np.float32], label: int | None) -> Rows:
    """The inputs of a network: `rows` under `name` and, for a model with classes, the label of each."""
    return {name: rows} if label is None else {name: rows, "label": np.full(len(rows), label, np.int64)}


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


@dataclass(slots=True)
class Decoding:
    """`z` float32[d], drawn, given or walked to, on its way to a picture: the mean of p(x | z)."""

    index: int
    z: NDArray[np.float32]
    label: int | None
    pixels: NDArray[np.float32] | None = None
    done: bool = False
    steps_done: int = 0
    steps_total: int = 1
    network: str = DECODER

    def inputs(self) -> Rows:
        """The latent."""
        return with_label("z", self.z[None], self.label)

    def take(self, outputs: Rows) -> None:
        """The picture [1, c, h, w]."""
        self.pixels = outputs["image"][0].copy()
        self.done, self.steps_done = True, 1

    def result(self) -> Result:
        """The picture. Raises `InvalidRequest` where the network overflowed."""
        if self.pixels is None:
            raise RuntimeError("the latent has not been decoded yet")
        picture: Image = to_image(self.pixels)
        return Result(self.index, picture)
