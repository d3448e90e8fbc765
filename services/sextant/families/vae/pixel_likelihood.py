"""The likelihood of 8-bit pixels under a decoder's mean: the discretised logistic.

Salimans et al. 2017, "PixelCNN++", eq. 2 with one component: the mass of a logistic in the level's bin of width
1/255; the bins of black and white take the tails. The 256 masses of a pixel add up to 1.
"""

import numpy as np
from numpy.typing import NDArray

_HALF_BIN = 0.5 / 255


def log_likelihood(levels: NDArray[np.uint8], means: NDArray[np.floating], scale: float) -> NDArray[np.float64]:
    """log p(levels[n] | mean, scale) in nats for each of means[rows, n], in float64: [rows].

    `means` and `scale` are in units where white is 1.
    """
    nats: NDArray[np.float64] = log_masses(levels, means, scale).sum(axis=-1)
    return nats


def log_masses(levels: NDArray[np.uint8], means: NDArray[np.floating], scale: float) -> NDArray[np.float64]:
    """As `log_likelihood`, but for each pixel: [rows, n]. Finite however far a level is from its mean."""
    centred = levels.astype(np.float64) / 255 - means
    below_upper = -_softplus((-centred - _HALF_BIN) / scale)  # log of the mass below the bin's upper edge
    above_lower = -_softplus((centred - _HALF_BIN) / scale)  # log of the mass above its lower edge
    # log(sigmoid(u) - sigmoid(l)) = log sigmoid(u) + log sigmoid(-l) + log(1 - exp(l - u)): nothing cancels.
    inside = below_upper + above_lower + np.log(-np.expm1(-2 * _HALF_BIN / scale))
    masses: NDArray[np.float64] = np.where(levels == 0, below_upper, np.where(levels == 255, above_lower, inside))
    return masses


def _softplus(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """log(1 + exp(x)) without overflow."""
    soft: NDArray[np.float64] = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    return soft
