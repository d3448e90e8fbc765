"""Euler steps along a flow-matching field: Lipman et al. 2023, "Flow matching for generative modeling"."""

from dataclasses import dataclass

import numpy as np

from sextant.families.diffusion.course import Array, Course, Move
from sextant.families.diffusion.schedule import DEFAULT_STOPS, Floats, Stops


@dataclass(frozen=True, slots=True)
class FlowEuler:
    """On the straight path x = (1 - s) x_0 + s epsilon, x moves by (s_next - s) (epsilon - x_0)."""

    def course(self, bars: Floats, steps: int, stops: Stops = DEFAULT_STOPS) -> Course:
        """s evenly spaced from 1 to 1 / T, then 0; the network is told s T. Of the schedule only T counts."""
        train_steps = len(bars)
        shares = np.append(np.linspace(1, 1 / train_steps, steps), 0.0)
        return Course(shares[:-1] * train_steps, 1 - shares, shares)

    def advance(self, move: Move) -> Array:
        """One step of Euler's."""
        x: Array = move.x + np.float32(move.sigma_next - move.sigma) * (move.epsilon - move.x0)
        return x
