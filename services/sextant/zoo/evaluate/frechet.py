"""The Fréchet distance between two sets of features (Heusel et al. 2017, eq. 6), and the quality made of it.

    d^2 = |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))

for features of means m and covariances C: the squared 2-Wasserstein distance between two Gaussians. The trace of
(C1 C2)^(1/2) is that of the symmetric (C1^(1/2) C2 C1^(1/2))^(1/2), since both have the same eigenvalues.

The distance has no unit and is biased upwards for small samples, so it says little by itself. `normalised_quality`
puts it between two others from samples of the same size: 1 is what real data score against real data, and 0 what a
Gaussian fitted to the pixels of each class scores.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Moments:
    """The mean float64[d] and the covariance float64[d, d] of a set of features."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]


def moments(features: NDArray[np.floating]) -> Moments:
    """The moments of features [n, d], n at least 2. Raises `ValueError` for fewer, and for what is not finite."""
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"features must be [n, d] with n at least 2, not {list(features.shape)}")
    if not np.isfinite(features).all():
        raise ValueError("features must be finite")
    x = features.astype(np.float64)
    mean = x.mean(0)
    centred = x - mean
    return Moments(mean, centred.T @ centred / (len(x) - 1))


def distance(one: Moments, other: Moments) -> float:
    """The Fréchet distance, squared as is the custom ("FID"), at least 0."""
    root = _root(one.covariance)
    product = root @ other.covariance @ root
    shared = np.sqrt(np.linalg.eigvalsh((product + product.T) / 2).clip(0)).sum()
    means = np.square(one.mean - other.mean).sum()
    return max(0.0, float(means + np.trace(one.covariance) + np.trace(other.covariance) - 2 * shared))


def frechet_distance(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """The Fréchet distance between features [n, d] and [m, d]."""
    return distance(moments(one), moments(other))


def real_distance(real: NDArray[np.floating], size: int, seed: int = 0, repeats: int = 5) -> float:
    """The distance between two disjoint random samples of `size` of the real features [n, d] each.

    It is the mean over `repeats` such pairs, as one pair differs from the next by as much as half.
    """
    if not 2 <= size <= len(real) // 2:
        raise ValueError(f"two disjoint samples of {size} cannot be drawn from {len(real)}")
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(real)) for _ in range(repeats)]
    return float(np.mean([frechet_distance(real[order[:size]], real[order[size : 2 * size]]) for order in orders]))


def normalised_quality(fd_model: float, fd_real: float, fd_gauss: float) -> float:
    """1 - (fd_model - fd_real) / (fd_gauss - fd_real): 1 as good as real data, 0 no better than pixel Gaussians.

    It is below 0 for worse than that, and a hair above 1 by luck. All three must come from samples of one size.
    """
    if not fd_gauss > fd_real:
        raise ValueError(f"the Gaussian's distance ({fd_gauss}) must be above that of real data ({fd_real})")
    return 1.0 - (fd_model - fd_real) / (fd_gauss - fd_real)


def _root(symmetric: NDArray[np.float64]) -> NDArray[np.float64]:
    """The square root of a positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(symmetric)
    root: NDArray[np.float64] = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    return root
