"""Bounds on log p(x) from log importance weights, log w = log p(x | z) + log p(z) - log q(z | x) with z ~ q(z | x).

Both are estimates of a lower bound: their expectation is at most log p(x), a single one may lie above it by chance.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Bound:
    """An estimate and its standard error, both in nats."""

    nats: float
    standard_error_nats: float


def elbo(log_weights: NDArray[np.float64]) -> Bound:
    """The evidence lower bound (Kingma & Welling 2014, eq. 2): the mean of log_weights[k], k at least 2."""
    error = log_weights.std(ddof=1) / np.sqrt(len(log_weights))
    return Bound(float(log_weights.mean()), float(error))


def iwae(log_weights: NDArray[np.float64]) -> Bound:
    """log of the mean of the k weights (Burda et al. 2016, eq. 8), k at least 2; rises with k in expectation.

    The standard error is by the delta method: that of the mean weight, over the mean weight. It is at most 1 nat,
    which is too little where a single weight outweighs all others: take more samples then.
    """
    highest = log_weights.max()
    weights = np.exp(log_weights - highest)
    mean = weights.mean()
    error = weights.std(ddof=1) / np.sqrt(len(weights)) / mean
    return Bound(float(highest + np.log(mean)), float(error))
