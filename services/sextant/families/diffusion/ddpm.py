"""Ancestral sampling: Ho et al. 2020, "Denoising diffusion probabilistic models", algorithm 2 with eq. 7."""

from dataclasses import dataclass

import numpy as np

from sextant.families.diffusion.course import Array, Course, Move, along
from sextant.families.diffusion.schedule import DEFAULT_STOPS, Floats, Stops


@dataclass(frozen=True, slots=True)
class Ddpm:
    """Draws x from the posterior q(x_next | x, x_0), whose variance is the smaller of the paper's two."""

    def course(self, bars: Floats, steps: int, stops: Stops = DEFAULT_STOPS) -> Course:
        """Timesteps evenly spaced, from the last one on unless `stops` says otherwise."""
        return along(bars, stops.visited(len(bars), steps), stops.end(bars))

    def advance(self, move: Move) -> Array:
        """mean = (alpha_next beta / sigma^2) x_0 + (alpha / alpha_next) (sigma_next^2 / sigma^2) x, eq. 7."""
        kept = (move.alpha / move.alpha_next) ** 2
        share = move.sigma_next**2 / move.sigma**2
        from_x0 = move.alpha_next * (1 - kept) / move.sigma**2
        mean: Array = np.float32(from_x0) * move.x0 + np.float32(np.sqrt(kept) * share) * move.x
        if move.sigma_next == 0:
            return mean
        return mean + np.float32(np.sqrt(share * (1 - kept))) * move.draw()
