"""A bound on likelihoods: the variational bound of a diffusion model, in steps of a few noise levels each.

    -log p(x) <= KL(q(x_T | x) || N(0, I)) + sum_t 1/2 (SNR(t - 1) - SNR(t)) |x - x_0(x_t)|^2 - log p(x | x_0),

SNR = abar / (1 - abar): Kingma et al. 2021, "Variational diffusion models", eq. 13 and 15, which is Ho et al. 2020,
eq. 5, with the posterior's own variance. The last term is Ho et al.'s discretised Gaussian, eq. 13. The sum over t is
estimated: its timesteps are cut into strata, of each of which two are drawn, whose difference tells the standard
error.
"""

from dataclasses import dataclass, field
from math import erf

import numpy as np
from numpy.typing import NDArray

from sextant.contract.events import Estimator, Likelihood, Result
from sextant.families.diffusion.course import Array
from sextant.families.diffusion.denoising import DENOISER
from sextant.families.diffusion.prediction import Prediction, split
from sextant.families.diffusion.schedule import Floats
from sextant.families.row_states import Rows
from sextant.runtime.rng import RequestRng

ROWS = 16  # of each step; every second one is a stratum's second draw
_LEVELS = 255
_LEAST_PROBABILITY = 1e-12
_erf = np.vectorize(erf, otypes=[np.float64])


@dataclass(slots=True, eq=False)
class Bounding:
    """`levels` uint8[c, h, w]; `bars` abar[T]; each of `steps_total` steps looks at half as many strata as it has rows.

    The first row of the first step is t = 0, the discretised Gaussian's.
    """

    index: int
    levels: NDArray[np.uint8]
    label: int
    bars: Floats
    prediction: Prediction
    rng: RequestRng
    steps_total: int
    network: str = DENOISER
    done: bool = False
    steps_done: int = 0
    _x: Array = field(init=False)
    _t: NDArray[np.int64] = field(init=False)
    _widths: Floats = field(init=False)
    _terms: list[float] = field(default_factory=list)
    _asked: Array = field(init=False)

    def __post_init__(self) -> None:
        self._x = self.levels.astype(np.float32) / np.float32(_LEVELS / 2) - 1
        strata = self.steps_total * ROWS // 2
        edges = np.linspace(1, len(self.bars), strata + 1)
        places = edges[:-1, None] + np.diff(edges)[:, None] * self.rng.uniform("bound/t", shape=(strata, 2))
        self._t = np.minimum(places.astype(np.int64), len(self.bars) - 1).reshape(-1)
        self._widths = np.diff(edges)

    def inputs(self) -> Rows:
        """The picture at this step's noise levels; the first step has one row more, t = 0."""
        visited = self._visited()
        draws = [self.rng.normal("bound/noise", int(row), self._x.shape) for row in self._rows()]
        kept = self.bars[visited]
        alpha, sigma = (np.sqrt(part).astype(np.float32)[:, None, None, None] for part in (kept, 1 - kept))
        self._asked = alpha * self._x + sigma * np.stack(draws)
        return {
            "x": self._asked,
            "t": visited.astype(np.float32),
            "label": np.full(len(visited), self.label, np.int64),
        }

    def take(self, outputs: Rows) -> None:
        """The predictions [rows, c, h, w]: a term of the sum from each."""
        for t, x, said in zip(self._visited(), self._asked, outputs["prediction"], strict=True):
            kept = float(self.bars[t])
            x0, _ = split(self.prediction, said, x, np.sqrt(kept), np.sqrt(1 - kept))
            seen = np.clip(x0, -1, 1).astype(np.float64)
            self._terms.append(self._last_term(seen) if t == 0 else self._term(int(t), seen))
        self.steps_done += 1
        self.done = self.steps_done == self.steps_total

    def result(self) -> Result:
        """The bound in nats, with its standard error."""
        terms = np.array(self._terms[1:]).reshape(-1, 2)
        total = float((self._widths * terms.mean(1)).sum())
        error = float(np.sqrt((np.square(self._widths * (terms[:, 0] - terms[:, 1])) / 4).sum()))
        nats = -(self._first_term() + total + self._terms[0])
        return Result(self.index, Likelihood(nats, self.levels.size, Estimator.LOWER_BOUND, error))

    def _rows(self) -> range:
        """Which of all rows this step asks for; row 0 is t = 0."""
        first = 1 + self.steps_done * ROWS
        return range(0 if self.steps_done == 0 else first, first + ROWS)

    def _visited(self) -> NDArray[np.int64]:
        return np.array([0 if row == 0 else self._t[row - 1] for row in self._rows()])

    def _first_term(self) -> float:
        """KL(q(x_T | x) || N(0, I)) in nats."""
        kept = self.bars[-1]
        squares = np.square(self._x.astype(np.float64)).sum()
        return float(0.5 * (kept * squares + self._x.size * (-kept - np.log1p(-kept))))

    def _term(self, t: int, x0: Floats) -> float:
        snr = self.bars / (1 - self.bars)
        return float(0.5 * (snr[t - 1] - snr[t]) * np.square(self._x - x0).sum())

    def _last_term(self, x0: Floats) -> float:
        """-log p(x | x_0): of a Gaussian around x_0 the part in each level's bin, the outer bins with their tails."""
        deviation = np.sqrt(1 - self.bars[0])
        x = self._x.astype(np.float64)
        upper = _normal_cdf((x + 1 / _LEVELS - x0) / deviation)
        lower = _normal_cdf((x - 1 / _LEVELS - x0) / deviation)
        upper[self.levels == _LEVELS] = 1
        lower[self.levels == 0] = 0
        return float(-np.log(np.maximum(upper - lower, _LEAST_PROBABILITY)).sum())


def _normal_cdf(at: Floats) -> Floats:
    share: Floats = 0.5 * (1 + _erf(at / np.sqrt(2)))
    return share
