"""Euler steps on the probability-flow ODE: Karras et al. 2022, "Elucidating the design space", eq. 4 and 5.

At the schedule's own timesteps this would be DDIM with eta 0; the paper's noise levels are what sets it apart.
"""

from dataclasses import dataclass

import numpy as np

from sextant.families.diffusion.course import Array, Course, Move
from sextant.families.diffusion.schedule import DEFAULT_STOPS, Floats, Stops

_RHO = 7.0
MOST_NOISE = 80.0  # the paper's sigma_max; schedules that end in nothing but noise would spend half their steps there


@dataclass(frozen=True, slots=True)
class Euler:
    """In noise levels s = sigma / alpha, x / alpha moves by (s_next - s) epsilon."""

    def course(self, bars: Floats, steps: int, stops: Stops = DEFAULT_STOPS) -> Course:
        """s evenly spaced in s^(1/7), the timesteps between the schedule's own by log s."""
        known = np.sqrt((1 - bars) / bars)
        high, low = min(known[-1], MOST_NOISE) ** (1 / _RHO), known[0] ** (1 / _RHO)
        levels = (high + np.linspace(0, 1, steps) * (low - high)) ** _RHO
        t = np.interp(np.log(levels), np.log(known), np.arange(len(bars)))
        levels = np.append(levels, 0.0)
        alpha = 1 / np.sqrt(1 + levels**2)
        return Course(t, alpha, alpha * levels)

    def advance(self, move: Move) -> Array:
        """One step of Euler's: x / alpha + (s_next - s) epsilon is x_0 + s_next epsilon, which loses no digits."""
        x: Array = np.float32(move.alpha_next) * move.x0 + np.float32(move.sigma_next) * move.epsilon
        return x
