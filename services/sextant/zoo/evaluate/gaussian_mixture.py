"""Gaussian mixtures with full covariances: the baseline of likelihoods of tables, a single Gaussian among them.

Expectation-maximisation (Dempster, Laird & Rubin 1977) from k-means++ starts (Arthur & Vassilvitskii 2007), the best
of several. As the likelihood of a mixture is unbounded (a component may shrink onto one row), what is maximised is

    sum_i log p(x_i) - ridge n / (2 k) sum_k tr(S_k^-1),

whose M-step adds ridge n / k to each scatter matrix: still EM proper, so this objective never falls. All in float64
and in columns scaled to standard deviation 1; log-likelihoods are of the data as given.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_RIDGE = 1e-6
_MOST_STEPS = 500
_LLOYD_STEPS = 10


@dataclass(frozen=True, slots=True)
class GaussianMixture:
    """k components in scaled columns: log_weights[k], means[k, d], covariances[k, d, d]. `centre` and `scale` [d] are
    of the data's columns. `history` is the objective, a row's mean in nats, after each step of EM."""

    log_weights: NDArray[np.float64]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    history: tuple[float, ...]

    def log_likelihood(self, rows: NDArray[np.floating]) -> NDArray[np.float64]:
        """log p of each row [n, d] in nats, float64[n]."""
        scaled = (rows - self.centre) / self.scale
        joint = _joint(scaled, self.log_weights, self.means, self.covariances)
        nats: NDArray[np.float64] = _log_sum(joint) - np.log(self.scale).sum()
        return nats


def fit_gaussian_mixture(
    rows: NDArray[np.floating], components: int = 10, *, restarts: int = 5, seed: int = 0, tolerance: float = 1e-5
) -> GaussianMixture:
    """The best of `restarts` fits to rows [n, d]; `components` = 1 is the Gaussian with full covariance.

    EM stops where a step gains less than `tolerance` nats a row. Raises `ValueError` for too few rows, for values
    that are not finite and for a column that never changes (which has no density).
    """
    x = np.asarray(rows, np.float64)
    if x.ndim != 2 or len(x) < 2 * components or components < 1:
        raise ValueError(f"{components} components cannot be fitted to rows {list(x.shape)}")
    if not np.isfinite(x).all():
        raise ValueError("rows must be finite")
    centre, scale = x.mean(0), x.std(0)
    if not scale.all():
        raise ValueError(f"columns {np.flatnonzero(scale == 0).tolist()} never change")
    scaled = (x - centre) / scale
    rng = np.random.default_rng(seed)
    fits = [_fit(scaled, components, rng, tolerance) for _ in range(restarts if components > 1 else 1)]
    log_weights, means, covariances, history = max(fits, key=lambda fit: fit[3][-1])
    return GaussianMixture(log_weights, means, covariances, centre, scale, tuple(history))


_Fit = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], list[float]]


def _fit(x: NDArray[np.float64], components: int, rng: np.random.Generator, tolerance: float) -> _Fit:
    nearest = _nearest(x, _k_means(x, components, rng))
    responsibility = np.eye(components)[nearest]
    history: list[float] = []
    for _ in range(_MOST_STEPS):
        log_weights, means, covariances = _maximise(x, responsibility)
        joint = _joint(x, log_weights, means, covariances)
        total = _log_sum(joint)
        penalty = _RIDGE / (2 * components) * np.trace(np.linalg.inv(covariances), axis1=1, axis2=2).sum()
        history.append(float(total.mean() - penalty))
        if len(history) > 1 and history[-1] - history[-2] < tolerance:
            break
        responsibility = np.exp(joint - total[:, None])
    return log_weights, means, covariances, history


def _maximise(
    x: NDArray[np.float64], responsibility: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The M-step: (log_weights[k], means[k, d], covariances[k, d, d]) from responsibilities [n, k]."""
    (count, width), components = x.shape, responsibility.shape[1]
    held = responsibility.sum(0) + np.finfo(float).eps  # a component that nothing belongs to stays finite
    means = responsibility.T @ x / held[:, None]
    covariances = np.empty((components, width, width))
    for k in range(components):
        centred = x - means[k]
        scatter = (responsibility[:, k, None] * centred).T @ centred
        covariances[k] = (scatter + _RIDGE * count / components * np.eye(width)) / held[k]
    return np.log(held / count), means, covariances


def _joint(
    x: NDArray[np.float64],
    log_weights: NDArray[np.float64],
    means: NDArray[np.float64],
    covariances: NDArray[np.float64],
) -> NDArray[np.float64]:
    """log weight + log N(x; mean, covariance) of each row and component, [n, k]."""
    joint = np.empty((len(x), len(means)))
    for k, (mean, covariance) in enumerate(zip(means, covariances, strict=True)):
        root = np.linalg.cholesky(covariance)
        whitened = np.linalg.solve(root, (x - mean).T)
        log_root = np.log(np.diagonal(root)).sum()
        constant = log_weights[k] - log_root - x.shape[1] / 2 * math.log(2 * math.pi)
        joint[:, k] = constant - np.square(whitened).sum(0) / 2
    return joint


def _log_sum(joint: NDArray[np.float64]) -> NDArray[np.float64]:
    most = joint.max(1, keepdims=True)
    total: NDArray[np.float64] = most[:, 0] + np.log(np.exp(joint - most).sum(1))
    return total


def _k_means(x: NDArray[np.float64], components: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Centres [k, d]: k-means++ seeds, each drawn in proportion to its squared distance, and a few steps of Lloyd's."""
    centres = x[[rng.integers(len(x))]]
    while len(centres) < components:
        squared = _squared(x, centres).min(1)
        total = squared.sum()
        chances = squared / total if total > 0 else None  # fewer distinct rows than components
        centres = np.concatenate([centres, x[[rng.choice(len(x), p=chances)]]])
    for _ in range(_LLOYD_STEPS):
        nearest = _nearest(x, centres)
        centres = np.stack([x[nearest == k].mean(0) if (nearest == k).any() else centres[k] for k in range(components)])
    return centres


def _nearest(x: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.int64]:
    nearest: NDArray[np.int64] = _squared(x, centres).argmin(1)
    return nearest


def _squared(x: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distances [n, k]."""
    return np.stack([np.square(x - centre).sum(1) for centre in centres], axis=1)
