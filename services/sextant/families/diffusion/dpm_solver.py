"""DPM-Solver++ 2M: Lu et al. 2022, "DPM-Solver++: Fast solver for guided sampling", algorithm 2."""

from dataclasses import dataclass

import numpy as np

from sextant.families.diffusion.course import Array, Course, Move, along
from sextant.families.diffusion.schedule import DEFAULT_STOPS, Floats, Stops


@dataclass(frozen=True, slots=True)
class DpmSolver:
    """Second order from two steps' x_0; first order at the first step, and at the last, where noise ends."""

    def course(self, bars: Floats, steps: int, stops: Stops = DEFAULT_STOPS) -> Course:
        """Timesteps evenly spaced, from the last one on unless `stops` says otherwise."""
        return along(bars, stops.visited(len(bars), steps), stops.end(bars))

    def advance(self, move: Move) -> Array:
        """(sigma_next / sigma) x - alpha_next (exp(-h) - 1) D, D = x_0 + h / (2 h_before) (x_0 - x_0 before)."""
        direction = move.x0
        if move.x0_before is not None and move.sigma_next > 0:
            direction = direction + np.float32(move.h / (2 * move.h_before)) * (move.x0 - move.x0_before)
        keep, take = move.sigma_next / move.sigma, -move.alpha_next * np.expm1(-move.h)
        x: Array = np.float32(keep) * move.x + np.float32(take) * direction
        return x
