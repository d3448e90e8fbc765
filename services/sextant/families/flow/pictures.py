"""Pictures as rows of a flow, float32[1, c, h, w] in [0, 256): a level is the cell [level, level + 1).

The flow is a density of reals, a picture has whole levels; the mean of the density over a cell would be the level's
probability (Theis et al. 2016, section 3.1). What is scored is the density at one point of the cell, level + u, with
noise u drawn once for all requests: exact at that point, comparable between pictures, and not a bound on the mean.
"""

import numpy as np
from numpy.typing import NDArray

from sextant.contract.media import Image, Media
from sextant.contract.tasks import Size
from sextant.families.pixels import ImageSpec, image_of_levels, read_levels
from sextant.families.unread import check_size
from sextant.runtime.rng import RequestRng

_MIDDLE = 0.5


class Pictures:
    """The domain of Glow; see `domain.Domain`. What is grey to the model must be grey: no colour is dropped."""

    most_rows = 1

    def __init__(self, image: ImageSpec) -> None:
        self._image = image
        self.shape: tuple[int, ...] = (image.channels, image.height, image.width)
        self._noise = RequestRng(0).uniform("dequantise", shape=self.shape)

    def asked_rows(self, size: Size) -> int:
        """One, of the model's own size."""
        check_size(size, Size(width_px=self._image.width, height_px=self._image.height))
        return 1

    def read(self, media: Media | None, field: str) -> NDArray[np.float32]:
        """The middle of each cell, so that rounding on the way back falls into the same one."""
        return self._levels(media, field) + np.float32(_MIDDLE)

    def read_to_score(self, media: Media | None, field: str) -> NDArray[np.float32]:
        """The point level + u of each cell."""
        return (self._levels(media, field) + self._noise).astype(np.float32)

    def media(self, x: NDArray[np.float32]) -> Image:
        """The cells that the only row lies in, those outside [0, 256) moved to its ends."""
        return image_of_levels(np.clip(np.floor(x[0]), 0, 255).astype(np.uint8))

    def _levels(self, media: Media | None, field: str) -> NDArray[np.float32]:
        levels = read_levels(media, self._image, field, grey_must_be_grey=True)
        return levels[None].astype(np.float32)
