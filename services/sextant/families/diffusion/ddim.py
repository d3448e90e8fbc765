"""Implicit sampling: Song et al. 2021, "Denoising diffusion implicit models", eq. 12 and 16."""

from dataclasses import dataclass

import numpy as np

from sextant.families.diffusion.course import Array, Course, Move, along
from sextant.families.diffusion.schedule import DEFAULT_STOPS, Floats, Stops


@dataclass(frozen=True, slots=True)
class Ddim:
    """`eta` scales the noise that is added: 0 is deterministic, 1 as much as DDPM adds."""

    eta: float = 0.0

    def course(self, bars: Floats, steps: int, stops: Stops = DEFAULT_STOPS) -> Course:
        """Timesteps evenly spaced, from the last one on unless `stops` says otherwise."""
        return along(bars, stops.visited(len(bars), steps), stops.end(bars))

    def advance(self, move: Move) -> Array:
        """alpha_next x_0 + sqrt(sigma_next^2 - s^2) epsilon + s z, where s is eta times DDPM's deviation."""
        kept = (move.alpha / move.alpha_next) ** 2
        added = self.eta**2 * (move.sigma_next**2 / move.sigma**2) * (1 - kept)
        towards = np.sqrt(max(0.0, move.sigma_next**2 - added))
        x: Array = np.float32(move.alpha_next) * move.x0 + np.float32(towards) * move.epsilon
        return x if added == 0 else x + np.float32(np.sqrt(added)) * move.draw()
