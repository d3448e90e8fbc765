"""The course of a sampler: which noise levels it visits, and what it takes to go from one to the next."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sextant.families.diffusion.schedule import DEFAULT_STOPS, Floats, Stops

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """`t`[n] is what the network is told at each step; x = alpha x_0 + sigma epsilon there, alpha and sigma[n + 1].

    The last alpha and sigma are where the last step arrives: 1 and 0, unless a schedule says otherwise.
    """

    t: Floats
    alpha: Floats
    sigma: Floats

    @property
    def steps(self) -> int:
        """How many."""
        return len(self.t)


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """One step: from (alpha, sigma) to the next, with what the network found at x; `x0_before` is from the step before.

    `h_before` is the step before's change of lambda = log(alpha / sigma), NaN at the first; `draw` gives noise of x's
    shape, the same whenever it is asked.
    """

    x: Array
    x0: Array
    epsilon: Array
    alpha: float
    sigma: float
    alpha_next: float
    sigma_next: float
    x0_before: Array | None
    h_before: float
    draw: Callable[[], Array]

    @property
    def h(self) -> float:
        """The change of lambda; infinite where there was nothing but noise, or where it ends."""
        if self.alpha == 0 or self.sigma_next == 0:
            return np.inf
        return float(np.log(self.alpha_next / self.sigma_next) - np.log(self.alpha / self.sigma))


class Solver(Protocol):
    """A rule that integrates the denoising process."""

    def course(self, bars: Floats, steps: int, stops: Stops = DEFAULT_STOPS) -> Course:
        """The levels that it visits in `steps` steps, of the schedule abar[T], at `stops` where it goes by them."""
        ...

    def advance(self, move: Move) -> Array:
        """x at the next level."""
        ...


def along(bars: Floats, visited: NDArray[np.integer], end: float) -> Course:
    """The course over timesteps of the schedule, to the abar `end`."""
    kept = np.append(bars[visited], end)
    return Course(visited.astype(np.float64), np.sqrt(kept), np.sqrt(1 - kept))
