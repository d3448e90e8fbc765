"""The baseline that every model of pictures must beat: for each class, one Gaussian over the pixels.

With its full covariance it has every mean and every correlation of two pixels right, and nothing beyond: pictures
come out as smooth clouds. The diagonal one has each pixel on its own. (Per-class Gaussians are the maximum-likelihood
"linear" generative model; a generative model with a convolutional network has no excuse for being nearer to them than
to the data.)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_RIDGE = 1e-5  # variance added to each pixel, white = 1: a standard deviation of 0.8 of the 256 levels
_PICTURES_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class PixelGaussian:
    """Gaussians over pictures of `shape` (h, w, c): of each class its mean [d] and centred pictures [n, d], white = 1.

    The covariance is centred.T @ centred / (n - 1) + ridge: never formed, as d^2 numbers would not fit for large
    pictures. A draw is the mean plus the centred pictures weighted by independent normals over sqrt(n - 1).
    """

    shape: tuple[int, ...]
    means: dict[int, NDArray[np.float32]]
    centred: dict[int, NDArray[np.float32]]

    def sample(self, labels: NDArray[np.int64], seed: int = 0, *, diagonal: bool = False) -> NDArray[np.uint8]:
        """A picture of the class of each label, uint8[n, h, w, c]; with `diagonal`, each pixel drawn on its own.

        Raises `ValueError` for a class without pictures to be fitted to.
        """
        if strangers := set(labels.tolist()) - set(self.means):
            raise ValueError(f"there were no pictures of class {min(strangers)}")
        rng = np.random.default_rng(seed)
        samples = np.empty((len(labels), int(np.prod(self.shape))), np.uint8)
        for label in np.unique(labels):
            rows = np.flatnonzero(labels == label)
            for start in range(0, len(rows), _PICTURES_AT_ONCE):
                part = rows[start : start + _PICTURES_AT_ONCE]
                drawn = self.means[int(label)] + self._deviations(int(label), len(part), rng, diagonal)
                samples[part] = np.rint(drawn.clip(0, 1) * 255)
        return samples.reshape(-1, *self.shape)

    def _deviations(self, label: int, count: int, rng: np.random.Generator, diagonal: bool) -> NDArray[np.float32]:
        centred = self.centred[label]
        freedom = max(1, len(centred) - 1)
        noise = rng.standard_normal((count, centred.shape[1]), np.float32)
        if diagonal:
            variance = np.square(centred).sum(0, dtype=np.float64) / freedom + _RIDGE
            independent: NDArray[np.float32] = noise * np.sqrt(variance).astype(np.float32)
            return independent
        weights = rng.standard_normal((count, len(centred)), np.float32) / np.float32(np.sqrt(freedom))
        correlated: NDArray[np.float32] = weights @ centred + noise * np.float32(np.sqrt(_RIDGE))
        return correlated


def fit_pixel_gaussian(images: NDArray[np.uint8], labels: NDArray[np.int64] | None = None) -> PixelGaussian:
    """Fitted to pictures uint8[n, h, w, c] class by class; to all of them as class 0 where there are no labels."""
    kinds = np.zeros(len(images), np.int64) if labels is None else labels
    pixels = images.reshape(len(images), -1)
    means, centred = {}, {}
    for label in np.unique(kinds):
        own = pixels[kinds == label].astype(np.float32) / 255
        mean = own.mean(0, dtype=np.float64).astype(np.float32)
        means[int(label)], centred[int(label)] = mean, own - mean
    return PixelGaussian(images.shape[1:], means, centred)
