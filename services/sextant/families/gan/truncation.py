"""Truncation: fewer kinds of pictures for better ones. psi = 1 is none, 0 the mean picture."""

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from sextant.runtime.rng import RequestRng

_BOUND = 2.0  # of the truncated normal, in standard deviations


def truncated_normal(rng: RequestRng, purpose: str, size: int, psi: float) -> NDArray[np.float32]:
    """psi times a normal truncated to [-2, 2], float32[size] (Brock et al. 2019, section 3.1); psi = 1: plain normal.

    By the inverse of its distribution function: a uniform draw gives a number, so none is ever drawn again.
    """
    if psi == 1:
        return rng.normal(purpose, shape=(size,))
    normal = NormalDist()
    low, high = normal.cdf(-_BOUND), normal.cdf(_BOUND)
    shares = low + (high - low) * rng.uniform(purpose, shape=(size,))
    draws = np.array([normal.inv_cdf(float(share)) for share in shares])
    return (psi * draws).astype(np.float32)


def towards_mean(w: NDArray[np.float32], mean: NDArray[np.float32], psi: float) -> NDArray[np.float32]:
    """mean + psi (w - mean), float32[..., s] (Karras et al. 2019, appendix B)."""
    return w if psi == 1 else mean + np.float32(psi) * (w - mean)
