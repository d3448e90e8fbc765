"""A latent on its way to a picture, in one call of a network from z: a VAE's decoder, a GAN's generator."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sextant.contract.events import Result
from sextant.families.pixels import to_image
from sextant.families.row_states import Rows


def with_label(name: str, rows: NDArray[np.float32], label: int | None) -> Rows:
    """The inputs of a network: `rows` under `name` and, for a model with classes, the label of each."""
    return {name: rows} if label is None else {name: rows, "label": np.full(len(rows), label, np.int64)}


@dataclass(slots=True)
class Decoding:
    """`z` float32[d] or float32[c, h, w], drawn, given or walked to, and the class where `network` knows any.

    `field` of the request is what `z` comes from: to blame where the network overflows.
    """

    index: int
    z: NDArray[np.float32]
    label: int | None
    network: str
    field: str = ""
    pixels: NDArray[np.float32] | None = None
    done: bool = False
    steps_done: int = 0
    steps_total: int = 1

    def inputs(self) -> Rows:
        """The latent, with its class."""
        return with_label("z", self.z[None], self.label)

    def take(self, outputs: Rows) -> None:
        """The picture [1, c, h, w]."""
        self.pixels = outputs["image"][0].copy()
        self.done, self.steps_done = True, 1

    def result(self) -> Result:
        """The picture. Raises `InvalidRequest` where the network overflowed."""
        if self.pixels is None:
            raise RuntimeError("the latent has not been decoded yet")
        return Result(self.index, to_image(self.pixels, self.field))
