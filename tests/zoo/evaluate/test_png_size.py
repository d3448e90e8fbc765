"""Sizes of PNG files, with and without what is around the pixels."""

import io

import numpy as np
import pytest
from PIL import Image

from sextant.zoo.evaluate.png_size import pixel_bytes, png_bits


@pytest.mark.parametrize("channels", [1, 3])
def test_a_small_picture_has_57_bytes_around_its_pixels(channels: int) -> None:
    images = np.random.default_rng(0).integers(256, size=(3, 16, 16, channels), dtype=np.uint8)
    found = png_bits(images)
    around = (found.files.value - found.pixels.value) * images[0].size / 8
    assert around == pytest.approx(57)


def test_noise_takes_8_bits_a_pixel_and_the_filter_bytes() -> None:
    images = np.random.default_rng(0).integers(256, size=(2, 64, 64, 1), dtype=np.uint8)
    # A byte of filter for each row, then zlib's frame of 6 bytes and deflate's for stored blocks, 5 each.
    assert png_bits(images).pixels.value == pytest.approx(8 * (64 * 65 + 11) / (64 * 64), rel=2e-3)


def test_the_smallest_file_is_never_larger_than_the_one_pillow_calls_optimised() -> None:
    ramp = np.arange(28 * 28, dtype=np.uint8).reshape(1, 28, 28, 1)
    buffer = io.BytesIO()
    Image.fromarray(ramp[0, :, :, 0]).save(buffer, "PNG", optimize=True)
    optimised = len(buffer.getvalue()) * 8 / 784
    assert png_bits(ramp).files.value <= optimised


def test_the_bytes_of_all_chunks_of_pixels_are_counted() -> None:
    chunks = [(b"IHDR", 13), (b"IDAT", 40), (b"tEXt", 9), (b"IDAT", 2), (b"IEND", 0)]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(n.to_bytes(4, "big") + kind + bytes(n + 4) for kind, n in chunks)
    assert pixel_bytes(png) == 42
