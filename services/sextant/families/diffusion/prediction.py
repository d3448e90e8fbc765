"""What a denoising network says, and what follows from it: x_0 and the noise.

Four kinds, all linear in x_t: epsilon (Ho et al. 2020, eq. 14); x_0 itself (their section 3.2); v = sqrt(abar) epsilon
- sqrt(1 - abar) x_0 (Salimans & Ho 2022, "Progressive distillation", appendix D); and the velocity u = epsilon - x_0 of
the straight path x_s = (1 - s) x_0 + s epsilon (Lipman et al. 2023, "Flow matching"; Liu et al. 2023).
"""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


class Prediction(StrEnum):
    """What the network's output stands for."""

    EPSILON = "epsilon"
    SAMPLE = "sample"
    V = "v"
    FLOW = "flow"


def split(kind: Prediction, said: Array, x: Array, alpha: float, sigma: float) -> tuple[Array, Array]:
    """(x_0, epsilon) of x = alpha x_0 + sigma epsilon, where the network said `said` of x; all of one shape.

    `alpha` is sqrt(abar) and `sigma` sqrt(1 - abar), or 1 - s and s on the straight path; epsilon needs alpha > 0.
    """
    a, s = np.float32(alpha), np.float32(sigma)
    if kind is Prediction.EPSILON:
        x0: Array = np.float32(1 / alpha) * (x - s * said)
        return x0, said
    if kind is Prediction.SAMPLE:
        epsilon: Array = np.float32(1 / sigma) * (x - a * said)
        return said, epsilon
    if kind is Prediction.V:
        return a * x - s * said, s * x + a * said
    return x - s * said, x + (1 - s) * said
