"""Arrays as bytes: little-endian, C order."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sextant.contract.errors import InvalidRequest

MOST_AXES = 32
# Of the axes that are not 0, in an array that has one that is: NumPy counts those too.
_MOST_EMPTY_ELEMENTS = 2**31


def array_bytes(array: NDArray[Any]) -> bytes:
    """The elements, little-endian, C order."""
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def array_from_bytes(
    data: bytes, element_type: np.dtype[Any], shape: Sequence[int], field: str = "tensor"
) -> NDArray[Any]:
    """`data` seen as an array of that type and shape: read-only, without a copy.

    `InvalidRequest` where the shape and the bytes disagree. Nothing is allocated by the shape.
    """
    if len(shape) > MOST_AXES:
        raise InvalidRequest(f"{field}.shape", f"has {len(shape)} axes, more than {MOST_AXES}")
    expected = prod(shape) * element_type.itemsize
    if len(data) != expected:
        wanted = f"{list(shape)} of {element_type.name}"
        raise InvalidRequest(f"{field}.data", f"holds {len(data)} bytes; {wanted} takes {expected}")
    if expected == 0 and prod(length for length in shape if length) > _MOST_EMPTY_ELEMENTS:
        raise InvalidRequest(f"{field}.shape", f"{list(shape)} is too large, even with nothing in it")
    return np.frombuffer(data, dtype=element_type).reshape(shape)
