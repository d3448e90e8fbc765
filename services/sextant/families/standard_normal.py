"""The density of the prior that VAEs, GANs and flows share, N(0, I)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

LOG_2PI = float(np.log(2 * np.pi))


def log_density(z: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """log N(z; 0, I) in nats over the last axis of z[..., d], in float64: [...]."""
    nats: NDArray[np.float64] = -0.5 * (np.square(z, dtype=np.float64) + LOG_2PI).sum(axis=-1)
    return nats
