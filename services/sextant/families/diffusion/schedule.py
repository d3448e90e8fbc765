"""How a picture is drowned in noise: x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) epsilon, for t = 0 ... T - 1.

Ho et al. 2020, "Denoising diffusion probabilistic models", eq. 4. Step t = 0 has the least noise.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LARGEST_BETA = 0.999
_COSINE_OFFSET = 0.008


class Schedule(StrEnum):
    """Which noise when."""

    LINEAR = "linear"
    SCALED_LINEAR = "scaled-linear"
    COSINE = "cosine"


class Spacing(StrEnum):
    """Which of the T timesteps a sampler of fewer steps visits (Lin et al. 2024, table 2)."""

    LEADING = "leading"
    TRAILING = "trailing"


def alpha_bars(schedule: Schedule, steps: int, betas: tuple[float, float] | None = None) -> Floats:
    """abar[T], falling: the share of the signal's variance that is left at each timestep.

    Linear: beta from 1e-4 to 0.02 over a thousand steps (Ho et al. 2020, section 4), scaled for other T, or between the
    two `betas`. Scaled linear: the same of beta's square root, from 0.00085 to 0.012 (Rombach et al. 2022). Cosine:
    Nichol & Dhariwal 2021, eq. 17, with beta at most 0.999.
    """
    if schedule is Schedule.COSINE:
        at = np.arange(steps + 1) / steps
        squares = np.cos((at + _COSINE_OFFSET) / (1 + _COSINE_OFFSET) * np.pi / 2) ** 2
        found = np.minimum(1 - squares[1:] / squares[:-1], _LARGEST_BETA)
    else:
        scale = 1000 / steps
        usual = (1e-4, 0.02) if schedule is Schedule.LINEAR else (0.00085, 0.012)
        first, last = betas or (scale * usual[0], scale * usual[1])
        if schedule is Schedule.LINEAR:
            found = np.minimum(np.linspace(first, last, steps), _LARGEST_BETA)
        else:
            found = np.minimum(np.linspace(first**0.5, last**0.5, steps) ** 2, _LARGEST_BETA)
    bars: Floats = np.cumprod(1 - found)
    return bars


@dataclass(frozen=True, slots=True)
class Stops:
    """Which timesteps a sampler visits, and where it arrives: at the clean picture, or at the level of t = 0.

    `offset` is added to the timesteps of leading spacing. Foreign weights bring theirs; ours take the default.
    """

    spacing: Spacing = Spacing.TRAILING
    offset: int = 0
    clean: bool = True

    def visited(self, train_steps: int, steps: int) -> NDArray[np.int64]:
        """The timesteps, falling."""
        leading = self.spacing is Spacing.LEADING
        return timesteps(self.spacing, train_steps, steps) + (self.offset if leading else 0)

    def end(self, bars: Floats) -> float:
        """abar where the last step arrives."""
        return 1.0 if self.clean else float(bars[0])


DEFAULT_STOPS = Stops()


def timesteps(spacing: Spacing, train_steps: int, steps: int) -> NDArray[np.int64]:
    """The timesteps that a sampler of `steps` steps visits, falling, int64[steps]; `steps` is at most `train_steps`.

    Trailing ends at the last one, where nothing but noise is left, which is where sampling starts; leading does not,
    and visits t = 0 instead.
    """
    if spacing is Spacing.TRAILING:
        return np.round(np.arange(train_steps, 0, -train_steps / steps)).astype(np.int64)[:steps] - 1
    return (np.arange(steps) * (train_steps // steps))[::-1].astype(np.int64)
