"""Codes: points of a latent space whose numbers are places in a codebook, one for each place of a picture."""

import numpy as np
from numpy.typing import NDArray

from sextant.bundles.manifest import LatentSpace
from sextant.contract.errors import InvalidRequest
from sextant.contract.media import Latent, Media
from sextant.families.latents import read_latent


def read_codes(media: Media | None, space: LatentSpace, size: int, field: str) -> NDArray[np.int64]:
    """The codes int64[space.shape] at `field` ("latents[0]", "source"), each from 0 to `size` - 1.

    Raises `InvalidRequest` where they are of another space or shape, or no codes.
    """
    numbers = read_latent(media, space, field)
    if not ((numbers >= 0) & (numbers < size) & (numbers == np.rint(numbers))).all():
        raise InvalidRequest(f"{field}.mean.data", f"must be codes: whole numbers from 0 to {size - 1}")
    return numbers.astype(np.int64)


def latent_of_codes(space: str, codes: NDArray[np.int64]) -> Latent:
    """Codes as they travel: whole numbers in float32, which holds those of any codebook exactly."""
    return Latent(space, codes.astype(np.float32))
