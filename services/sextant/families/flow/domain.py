"""What a flow is a density of: media on one side, rows of its network on the other."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sextant.contract.media import Media
from sextant.contract.tasks import Size


class Domain(Protocol):
    """Tables or pictures, as rows x[r, *shape] in the units of the network."""

    shape: tuple[int, ...]
    most_rows: int

    def asked_rows(self, size: Size) -> int:
        """How many rows a request of that size wants. Raises `InvalidRequest`."""
        ...

    def read(self, media: Media | None, field: str) -> NDArray[np.float32]:
        """The rows of a medium at `field`, such that `media` gives it back. Raises `InvalidRequest`."""
        ...

    def read_to_score(self, media: Media | None, field: str) -> NDArray[np.float32]:
        """The rows whose density is the likelihood of a medium at `field`. Raises `InvalidRequest`."""
        ...

    def media(self, x: NDArray[np.float32]) -> Media:
        """The rows, finite, as a medium."""
        ...
