"""Answers that are not numbers. Finite input can still overflow within a network, if it lies far from all data."""

import numpy as np
from numpy.typing import NDArray

from sextant.contract.errors import InvalidRequest


def refuse_overflow(output: NDArray[np.floating], field: str = "") -> None:
    """`InvalidRequest` where what a network made of `field` is not finite."""
    if not np.isfinite(output).all():
        raise InvalidRequest(field, "leads so far from all data that the network overflows")
