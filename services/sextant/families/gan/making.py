"""A latent on its way to a picture, in one call of a generator."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sextant.contract.events import Result
from sextant.families.pixels import to_image
from sextant.families.row_states import Rows

GENERATOR = "generator"


@dataclass(slots=True)
class Making:
    """`z` float32[d], drawn, given or walked to, and the class where the generator knows any.

    `field` of the request is what `z` comes from: to blame where the network overflows.
    """

    index: int
    z: NDArray[np.float32]
    label: int | None
    field: str = ""
    pixels: NDArray[np.float32] | None = None
    done: bool = False
    steps_done: int = 0
    steps_total: int = 1
    network: str = GENERATOR

    def inputs(self) -> Rows:
        """The latent, with its class."""
        z = self.z[None]
        return {"z": z} if self.label is None else {"z": z, "label": np.array([self.label], np.int64)}

    def take(self, outputs: Rows) -> None:
        """The picture [1, c, h, w]."""
        self.pixels = outputs["image"][0].copy()
        self.done, self.steps_done = True, 1

    def result(self) -> Result:
        """The picture. Raises `InvalidRequest` where the network overflowed."""
        if self.pixels is None:
            raise RuntimeError("the picture has not been made yet")
        return Result(self.index, to_image(self.pixels, self.field))
