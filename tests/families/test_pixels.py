"""Pictures come in as networks want them or are refused by name, and go out to the nearest level."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image as Pillow

from sextant.contract.errors import InvalidRequest
from sextant.contract.media import Image, Media, Tensor, Text
from sextant.families.pixels import ImageSpec, image_of_levels, read_levels, read_pixels, to_image

GREY, RGB = ImageSpec(4, 3, 1), ImageSpec(4, 3, 3)
EVERY_LEVEL = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)


def noise(channels: int) -> np.ndarray:
    return np.random.default_rng(channels).integers(0, 256, (4, 3, channels), dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_every_level_survives_the_way_in_and_out(channels: int) -> None:
    picture = Image(np.repeat(EVERY_LEVEL, channels, axis=2))
    spec = ImageSpec(16, 16, channels)
    pixels = read_pixels(picture, spec, "items[0]")
    assert (pixels.dtype, pixels.shape) == (np.float32, (channels, 16, 16))
    assert (pixels.min(), pixels.max()) == (0, 1)
    for way_back in (to_image(pixels), image_of_levels(read_levels(picture, spec, "items[0]"))):
        np.testing.assert_array_equal(way_back.pixels, picture.pixels)


@given(arrays(np.float32, (3, 2, 4), elements=st.floats(-2, 2, width=32)))
def test_a_network_s_values_go_to_the_nearest_level_and_none_beyond_black_and_white(pixels: np.ndarray) -> None:
    levels = to_image(pixels).pixels.transpose(2, 0, 1)
    assert levels.dtype == np.uint8
    assert np.abs(levels - 255 * np.clip(pixels, 0, 1)).max() <= 0.5 + 1e-4


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_not_passed_off_as_a_pixel(value: float) -> None:
    with pytest.raises(InvalidRequest, match="overflows"):
        to_image(np.full((1, 2, 2), value, np.float32))


def test_channels_come_first_and_keep_their_order() -> None:
    pixels = read_pixels(Image(noise(3)), RGB, "source")
    np.testing.assert_array_equal(np.rint(pixels[2] * 255), noise(3)[:, :, 2])


def test_grey_is_repeated_for_a_model_of_colours() -> None:
    pixels = read_pixels(Image(noise(1)), RGB, "source")
    for channel in pixels:
        np.testing.assert_array_equal(np.rint(channel * 255), noise(1)[:, :, 0])


def test_colours_become_grey_as_pillow_does_it() -> None:
    levels = read_levels(Image(noise(3)), GREY, "source")
    np.testing.assert_array_equal(levels[0], np.asarray(Pillow.fromarray(noise(3)).convert("L")))


def test_transparency_is_laid_on_white() -> None:
    picture = np.zeros((4, 3, 4), np.uint8)
    picture[..., 0], picture[0, :, 3], picture[1, :, 3] = 200, 255, 128
    levels = read_levels(Image(picture), RGB, "source")
    np.testing.assert_array_equal(levels[:, 0, 0], [200, 0, 0])
    np.testing.assert_allclose(levels[:, 1, 0], [227, 127, 127], atol=1)
    np.testing.assert_array_equal(levels[:, 2, 0], [255, 255, 255])


def test_where_grey_must_be_grey_colours_are_refused_and_grey_in_rgb_is_taken_exactly() -> None:
    grey = np.repeat(noise(1), 3, axis=2)
    levels = read_levels(Image(grey), GREY, "items[0]", grey_must_be_grey=True)
    np.testing.assert_array_equal(levels[0], noise(1)[:, :, 0])
    with pytest.raises(InvalidRequest, match=r"items\[2\]\.image: must be grey"):
        read_pixels(Image(noise(3)), GREY, "items[2]", grey_must_be_grey=True)


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
def test_a_tensor_reads_like_the_picture_that_it_is(dtype: Any) -> None:
    levels = noise(3)
    array = levels if dtype == np.uint8 else (levels / 255).astype(dtype)
    pixels = read_pixels(Tensor(array), RGB, "source")
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels, read_pixels(Image(levels), RGB, "source"), atol=3e-4)
    if dtype != np.float16:  # which is too coarse for 256 levels
        np.testing.assert_array_equal(read_levels(Tensor(array), RGB, "source"), levels.transpose(2, 0, 1))


def test_a_value_between_two_levels_is_a_pixel_but_not_a_level() -> None:
    array = np.full((4, 3, 1), 100.5 / 255)
    assert read_pixels(Tensor(array), GREY, "items[0]")[0, 0, 0] == pytest.approx(100.5 / 255)
    with pytest.raises(InvalidRequest, match=r"items\[0\]\.tensor: must hold 8-bit levels"):
        read_levels(Tensor(array), GREY, "items[0]")


@pytest.mark.parametrize(
    ("media", "field", "reason"),
    [
        (None, "items[1].image", "a picture"),
        (Text("a cat"), "items[1].image", "a picture"),
        (Image(np.zeros((3, 4, 1), np.uint8)), "items[1].image", "is 4 x 3 pixels; the model takes 3 x 4"),
        (Image(np.zeros((4, 3, 2), np.uint8)), "items[1].image", "2 channels"),
        (Tensor(np.zeros((4, 3), np.float32)), "items[1].tensor", r"\[4, 3\].*\[4, 3, 1\]"),
        (Tensor(np.zeros((4, 3, 3), np.float32)), "items[1].tensor", r"\[4, 3, 3\].*\[4, 3, 1\]"),
        (Tensor(np.zeros((4, 3, 1), np.int64)), "items[1].tensor", "int64"),
        (Tensor(np.full((4, 3, 1), np.nan)), "items[1].tensor", "from 0 to 1"),
        (Tensor(np.full((4, 3, 1), 1.01)), "items[1].tensor", "from 0 to 1"),
        (Tensor(np.full((4, 3, 1), -0.01)), "items[1].tensor", "from 0 to 1"),
        (Tensor(np.full((4, 3, 1), 1e300)), "items[1].tensor", "from 0 to 1"),
    ],
)
def test_what_is_no_picture_of_the_model_is_refused_by_its_field(media: Media, field: str, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason) as refused:
        read_pixels(media, GREY, "items[1]")
    assert refused.value.violations[0].field == field
