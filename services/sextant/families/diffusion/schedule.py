"""How a picture is drowned in noise: x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) epsilon, for t = 0 ... T - 1.

Ho et al. 2020, "Denoising diffusion probabilistic models", eq. 4. Step t = 0 has the least noise.
"""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LARGEST_BETA = 0.999
_COSINE_OFFSET = 0.008


class Schedule(StrEnum):
    """Which noise when."""

    LINEAR = "linear"
    COSINE = "cosine"


class Spacing(StrEnum):
    """Which of the T timesteps a sampler of fewer steps visits (Lin et al. 2024, table 2)."""

    LEADING = "leading"
    TRAILING = "trailing"


def alpha_bars(schedule: Schedule, steps: int) -> Floats:
    """abar[T], falling: the share of the signal's variance that is left at each timestep.

    Linear: beta from 1e-4 to 0.02 over a thousand steps (Ho et al. 2020, section 4), scaled for other T. Cosine:
    Nichol & Dhariwal 2021, eq. 17, with beta at most 0.999.
    """
    if schedule is Schedule.LINEAR:
        scale = 1000 / steps
        betas = np.minimum(np.linspace(scale * 1e-4, scale * 0.02, steps), _LARGEST_BETA)
    else:
        at = np.arange(steps + 1) / steps
        squares = np.cos((at + _COSINE_OFFSET) / (1 + _COSINE_OFFSET) * np.pi / 2) ** 2
        betas = np.minimum(1 - squares[1:] / squares[:-1], _LARGEST_BETA)
    bars: Floats = np.cumprod(1 - betas)
    return bars


def timesteps(spacing: Spacing, train_steps: int, steps: int) -> NDArray[np.int64]:
    """The timesteps that a sampler of `steps` steps visits, falling, int64[steps]; `steps` is at most `train_steps`.

    Trailing ends at the last one, where nothing but noise is left, which is where sampling starts; leading does not,
    and visits t = 0 instead.
    """
    if spacing is Spacing.TRAILING:
        return np.round(np.arange(train_steps, 0, -train_steps / steps)).astype(np.int64)[:steps] - 1
    return (np.arange(steps) * (train_steps // steps))[::-1].astype(np.int64)
