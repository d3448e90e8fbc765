"""Pictures as networks see them, float32[channels, height, width] in [0, 1], and back."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from sextant.contract.errors import InvalidRequest
from sextant.contract.media import Image, Media, Tensor
from sextant.families.overflow import refuse_overflow

_WHITE = 255


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """The one size of picture that a model takes and makes; `channels` is 1 (grey) or 3 (RGB)."""

    height: int
    width: int
    channels: int


def read_pixels(
    media: Media | None, spec: ImageSpec, field: str, *, grey_must_be_grey: bool = False
) -> NDArray[np.float32]:
    """A picture of the request as float32[c, h, w] in [0, 1]; `field` is the path of its `Media`: "items[0]", "source".

    An Image is fitted to the channels of the model: RGBA is laid on white, grey repeated for RGB, and RGB taken by its
    luminance for grey (ITU-R 601, as Pillow's "L"), unless `grey_must_be_grey`: then red, green and blue must agree.
    A Tensor has the model's own shape [h, w, c], uint8 or a float in [0, 1]. Raises `InvalidRequest`.
    """
    if isinstance(media, Image):
        path = f"{field}.image"
        _check_size(media.pixels.shape, spec, path)
        fitted = _fit_channels(media.pixels, spec, path, grey_must_be_grey)
        return _channels_first(fitted.astype(np.float32) / np.float32(_WHITE))
    if isinstance(media, Tensor):
        return _channels_first(_read_tensor(media.array, spec, f"{field}.tensor"))
    raise InvalidRequest(f"{field}.image", "must hold a picture")


def read_levels(
    media: Media | None, spec: ImageSpec, field: str, *, grey_must_be_grey: bool = False
) -> NDArray[np.uint8]:
    """As `read_pixels`, but as the 256 levels uint8[c, h, w]; a float tensor must lie on them, at multiples of 1/255.

    For likelihoods, which are of levels: a value between two of them has none.
    """
    pixels = read_pixels(media, spec, field, grey_must_be_grey=grey_must_be_grey)
    scaled = pixels * np.float32(_WHITE)
    levels = np.rint(scaled)
    if np.abs(scaled - levels).max(initial=0.0) > 1e-3:
        raise InvalidRequest(f"{field}.tensor", "must hold 8-bit levels, multiples of 1/255: other values have none")
    whole: NDArray[np.uint8] = levels.astype(np.uint8)
    return whole


def read_mask(mask: Image, height: int, width: int) -> NDArray[np.float32]:
    """How far each place of a map [height, width] may change, from 0 to 1; a larger mask counts where it is whitest.

    Raises `InvalidRequest` where the mask is not a whole number of times as large as the map.
    """
    given = mask.pixels.shape[:2]
    if given[0] % height or given[1] % width or given[0] // height != given[1] // width:
        raise InvalidRequest("mask", f"must be {width} x {height} pixels, or a whole number of times as large")
    grey = read_pixels(mask, ImageSpec(given[0], given[1], 1), "mask")[0]
    factor = given[0] // height
    free: NDArray[np.float32] = grey.reshape(height, factor, width, factor).max(axis=(1, 3))
    return free


def to_image(pixels: NDArray[np.floating], field: str = "") -> Image:
    """A network's float[c, h, w] as a picture: to the nearest of 256 levels, what lies outside [0, 1] clipped.

    Raises `InvalidRequest` for `field`, which led to the picture, where a value is not finite.
    """
    refuse_overflow(pixels, field)
    return image_of_levels(np.rint(np.clip(pixels, 0, 1) * _WHITE).astype(np.uint8))


def image_of_levels(levels: NDArray[np.uint8]) -> Image:
    """uint8[c, h, w] as a picture."""
    return Image(np.ascontiguousarray(levels.transpose(1, 2, 0)))


def _channels_first(pixels_hwc: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(pixels_hwc.transpose(2, 0, 1))


def _check_size(shape: tuple[int, ...], spec: ImageSpec, path: str) -> None:
    if shape[:2] != (spec.height, spec.width):
        reason = f"is {shape[1]} x {shape[0]} pixels; the model takes {spec.width} x {spec.height}"
        raise InvalidRequest(path, reason)


def _fit_channels(pixels: NDArray[np.uint8], spec: ImageSpec, path: str, grey_must_be_grey: bool) -> NDArray[np.uint8]:
    """uint8[h, w, 1, 3 or 4] -> uint8[h, w, spec.channels]."""
    if pixels.shape[2] == 4:
        opaque = Pillow.alpha_composite(
            Pillow.new("RGBA", (spec.width, spec.height), "white"), Pillow.fromarray(pixels)
        )
        pixels = np.asarray(opaque)[:, :, :3]
    given = pixels.shape[2]
    if given == spec.channels:
        return pixels
    if (given, spec.channels) == (1, 3):
        return np.repeat(pixels, 3, axis=2)
    if (given, spec.channels) == (3, 1):
        if not grey_must_be_grey:
            return np.asarray(Pillow.fromarray(pixels).convert("L"))[:, :, None]
        if (pixels == pixels[:, :, :1]).all():
            return pixels[:, :, :1]
        raise InvalidRequest(path, "must be grey: the likelihood is of the picture as given, and this one has colours")
    raise InvalidRequest(path, f"has {given} channels; the model takes {spec.channels}")


def _read_tensor(array: NDArray[np.generic], spec: ImageSpec, path: str) -> NDArray[np.float32]:
    """Any array of a request -> float32[h, w, c]."""
    wanted = (spec.height, spec.width, spec.channels)
    if array.shape != wanted:
        raise InvalidRequest(path, f"has shape {list(array.shape)}; the model takes [h, w, c] = {list(wanted)}")
    if array.dtype == np.uint8:
        return array.astype(np.float32) / np.float32(_WHITE)
    if not np.issubdtype(array.dtype, np.floating):
        raise InvalidRequest(path, f"holds {array.dtype.name}; must be uint8, or floats from 0 to 1")
    values = array.astype(np.float64)
    if not ((values >= 0) & (values <= 1)).all():  # NaN is neither
        raise InvalidRequest(path, "must hold floats from 0 to 1 and nothing else")
    return values.astype(np.float32)
