"""What PNG makes of the same pictures: the everyday compressor that a likelihood in bits per dimension is held against.

A model with a likelihood of b bits per dimension and an arithmetic coder would store a picture in b * h * w * c bits.
PNG (ISO/IEC 15948) spends 57 bytes before the first pixel: 8 of signature, 25 of IHDR, 12 around IDAT and 12 of IEND.
On pictures of 28 x 28 that is half a bit per dimension, so the size is also given without it.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sextant.zoo.evaluate.likelihood import Mean, bits_per_dimension

_SIGNATURE_BYTES = 8
_CHUNK_FRAME_BYTES = 12  # length, type and checksum
_LEVELS = range(1, 10)
_STRATEGIES = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_RLE, zlib.Z_HUFFMAN_ONLY)


@dataclass(frozen=True, slots=True)
class PngBits:
    """Bits per dimension: of `files` as they would lie on disk, and of their `pixels` alone (what IDAT holds)."""

    files: Mean
    pixels: Mean


def png_bits(images: NDArray[np.uint8]) -> PngBits:
    """The smallest PNG of each picture uint8[n, h, w, 1 or 3] over pillow's settings."""
    dimensions = int(np.prod(images.shape[1:]))
    smallest = [min(_encodings(image), key=len) for image in images]
    files = np.array([len(png) for png in smallest])
    pixels = np.array([pixel_bytes(png) for png in smallest])
    nats_per_byte = -8 * np.log(2)  # a size is a log-likelihood: that of the picture under the coder
    return PngBits(
        files=bits_per_dimension(files * nats_per_byte, dimensions),
        pixels=bits_per_dimension(pixels * nats_per_byte, dimensions),
    )


def pixel_bytes(png: bytes) -> int:
    """The bytes inside the IDAT chunks of a PNG file."""
    place, found = _SIGNATURE_BYTES, 0
    while place < len(png):
        length, kind = struct.unpack_from(">I4s", png, place)
        found += length if kind == b"IDAT" else 0
        place += length + _CHUNK_FRAME_BYTES
    return found


def _encodings(image: NDArray[np.uint8]) -> Iterator[bytes]:
    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    settings: list[dict[str, Any]] = [{"optimize": True}]
    settings += [{"compress_level": 9, "compress_type": strategy} for strategy in _STRATEGIES]
    settings += [{"compress_level": level} for level in _LEVELS]
    for options in settings:
        buffer = io.BytesIO()
        picture.save(buffer, "PNG", **options)
        yield buffer.getvalue()
