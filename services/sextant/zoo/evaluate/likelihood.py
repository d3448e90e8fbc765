"""Log-likelihoods of a set, as a mean with its standard error, in the two units in use.

nats per item, and for pictures bits per dimension: -nats / (ln 2 * h w c) for a probability of the 256 levels
(Theis et al. 2016, section 3.1). Lower bits and higher nats are better.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over items, and the standard error of that mean (over the items; 0 for a single one)."""

    value: float
    standard_error: float


def mean_nats(nats: Sequence[float] | NDArray[np.floating]) -> Mean:
    """The mean log-likelihood of items with `nats` [n] each."""
    values = np.asarray(nats, np.float64)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"log-likelihoods must be [n], not {list(values.shape)}")
    error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return Mean(float(values.mean()), float(error))


def bits_per_dimension(nats: Sequence[float] | NDArray[np.floating], dimensions: int) -> Mean:
    """The mean bits per dimension of items with `nats` [n] and as many dimensions (h * w * c) each."""
    if dimensions < 1:
        raise ValueError(f"an item has at least 1 dimension, not {dimensions}")
    unit = math.log(2) * dimensions
    mean = mean_nats(nats)
    return Mean(-mean.value / unit, mean.standard_error / unit)
