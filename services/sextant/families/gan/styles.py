"""Styles on their way to a picture: z through the mapping network to w, and w through the synthesis network."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sextant.contract.events import Result
from sextant.families.pixels import to_image
from sextant.families.row_states import Rows

MAPPING, SYNTHESIS = "mapping", "synthesis"


@dataclass(slots=True)
class Styling:
    """`drawn` float32[r, d] are z to be mapped, none if w is known; `styles_of` makes float32[layers, s] of their w.

    `noise` float32[n] is what the synthesis network stirs in. `field` of the request is to blame where it overflows.
    """

    index: int
    drawn: NDArray[np.float32]
    styles_of: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    noise: NDArray[np.float32]
    field: str = ""
    styles: NDArray[np.float32] | None = None
    pixels: NDArray[np.float32] | None = None
    done: bool = False
    steps_done: int = 0
    steps_total: int = 2

    def __post_init__(self) -> None:
        if not len(self.drawn):
            self.styles, self.steps_total = self.styles_of(self.drawn), 1

    @property
    def network(self) -> str:
        """First the mapping, unless all styles are known."""
        return MAPPING if self.styles is None else SYNTHESIS

    def inputs(self) -> Rows:
        """The draws, or the styles with the noise."""
        if self.styles is None:
            return {"z": self.drawn}
        return {"w": self.styles[None], "noise": self.noise[None]}

    def take(self, outputs: Rows) -> None:
        """w [r, s], or the picture [1, 3, h, w]."""
        self.steps_done += 1
        if self.styles is None:
            self.styles = self.styles_of(outputs["w"])
            return
        self.pixels, self.done = outputs["image"][0].copy(), True

    def result(self) -> Result:
        """The picture. Raises `InvalidRequest` where the network overflowed."""
        if self.pixels is None:
            raise RuntimeError("the picture has not been made yet")
        return Result(self.index, to_image(self.pixels, self.field))
