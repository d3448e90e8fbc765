"""How near pictures are to those they should be: squared error, PSNR, SSIM, and distance in features.

SSIM is that of Wang et al. (2004, eq. 13) with its constants: windows of 11 x 11 under a Gaussian of standard deviation
1.5, K1 = 0.01, K2 = 0.03, only windows that lie wholly in the picture, each channel on its own. Its two constants keep
it defined where a window does not vary; two windows of the same constant are alike (1).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_WINDOW = 11
_DEVIATION = 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_PICTURES_AT_ONCE = 250


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """Means over pictures. `squared_error` in units where white = 1; `psnr_db` is that of the mean squared error
    (infinite where it is 0); `ssim` in [-1, 1]."""

    squared_error: float
    psnr_db: float
    ssim: float


@dataclass(frozen=True, slots=True)
class FeatureDistance:
    """`mean` is the distance between the features of a picture and of its counterpart; `relative` the same over the
    mean distance to the counterparts of the others: 0 for the same pictures, 1 for no nearer than by chance."""

    mean: float
    relative: float


def reconstruction(images: NDArray[np.uint8], originals: NDArray[np.uint8]) -> Reconstruction:
    """How near `images` are to `originals`, both uint8[n, h, w, c]."""
    _check(images, originals)
    errors, likenesses = [], []
    for start in range(0, len(images), _PICTURES_AT_ONCE):
        part = slice(start, start + _PICTURES_AT_ONCE)
        one, other = images[part].astype(np.float64), originals[part].astype(np.float64)
        errors.append(np.square((one - other) / 255).mean((1, 2, 3)))
        likenesses.append(_ssim(one, other))
    squared_error = float(np.concatenate(errors).mean())
    psnr_db = -10 * math.log10(squared_error) if squared_error else math.inf
    return Reconstruction(squared_error, psnr_db, float(np.concatenate(likenesses).mean()))


def ssim(images: NDArray[np.uint8], originals: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The SSIM of each pair of pictures uint8[n, h, w, c], at least 11 pixels high and wide, float64[n]."""
    _check(images, originals)
    return _ssim(images.astype(np.float64), originals.astype(np.float64))


def feature_distance(
    features_of: Callable[[NDArray[np.uint8]], NDArray[np.floating]],
    images: NDArray[np.uint8],
    counterparts: NDArray[np.uint8],
) -> FeatureDistance:
    """How near `images` are to their true counterparts, both uint8[n, h, w, c] with n at least 2, in the Euclidean
    distance of the features [n, d] that `features_of` answers with."""
    if len(images) != len(counterparts) or len(images) < 2:
        raise ValueError(f"{len(images)} pictures and {len(counterparts)} counterparts are no two pairs or more")
    made, true = (features_of(pictures).astype(np.float64) for pictures in (images, counterparts))
    to_all = np.stack([np.sqrt(np.square(true - one).sum(1)) for one in made])
    own = np.eye(len(made), dtype=bool)
    mean, by_chance = float(to_all[own].mean()), float(to_all[~own].mean())
    if not by_chance:
        raise ValueError("all pictures have the same features")
    return FeatureDistance(mean, mean / by_chance)


def _check(images: NDArray[np.uint8], originals: NDArray[np.uint8]) -> None:
    if images.shape != originals.shape or images.ndim != 4 or not len(images):
        raise ValueError(f"pictures and originals must be [n, h, w, c] alike, not {images.shape} and {originals.shape}")
    if images.dtype != np.uint8 or originals.dtype != np.uint8:
        raise ValueError(f"pictures must be uint8, not {images.dtype} and {originals.dtype}")
    if min(images.shape[1:3]) < _WINDOW:
        raise ValueError(f"pictures must be at least {_WINDOW} pixels high and wide, not {images.shape[1:3]}")


def _ssim(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    mean_x, mean_y = _smooth(x), _smooth(y)
    variance_x, variance_y = _smooth(x * x) - mean_x**2, _smooth(y * y) - mean_y**2
    covariance = _smooth(x * y) - mean_x * mean_y
    brightness = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    contrast_and_structure = (2 * covariance + _C2) / (variance_x + variance_y + _C2)
    alike: NDArray[np.float64] = (brightness * contrast_and_structure).mean((1, 2, 3))
    return alike


def _smooth(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n, h, w, c] under the Gaussian window: [n, h - 10, w - 10, c]. The window is a product, so rows go first."""
    offsets = np.arange(_WINDOW) - _WINDOW // 2
    weights = np.exp(-np.square(offsets) / (2 * _DEVIATION**2))
    weights /= weights.sum()
    height, width = x.shape[1] - _WINDOW + 1, x.shape[2] - _WINDOW + 1
    rows = sum(weight * x[:, place : place + height] for place, weight in enumerate(weights))
    smooth: NDArray[np.float64] = sum(
        weight * rows[:, :, place : place + width] for place, weight in enumerate(weights)
    )
    return smooth
