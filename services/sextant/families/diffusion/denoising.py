"""What is on its way from noise: what the network is asked at each step, and what becomes of its answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from sextant.contract.events import Result
from sextant.contract.media import Media
from sextant.families.diffusion.course import Array, Course, Move, Solver
from sextant.families.diffusion.prediction import Prediction, split
from sextant.families.row_states import Rows
from sextant.runtime.rng import RequestRng

DENOISER = "denoiser"


@dataclass(frozen=True, slots=True, eq=False)
class Guidance:
    """Classifier-free guidance (Ho & Salimans 2022, eq. 6): away + scale (to - away).

    `rows` are what the network is told in each row of its call, by input: one row, or what is led away from and then
    what is led to. See `guided`.
    """

    rows: tuple[Rows, ...]
    scale: float = 1.0

    def joined(self, said: Array) -> Array:
        """said[rows, ...] as one."""
        if len(said) == 1:
            alone: Array = said[0].copy()
            return alone
        joined: Array = said[0] + np.float32(self.scale) * (said[1] - said[0])
        return joined


def guided(to: Rows, away: Rows | None, scale: float) -> Guidance:
    """Guidance to what `to` tells the network; of scale 1 and 0 one of the two is enough. None: there is no other."""
    if away is None or scale == 1:
        return Guidance((to,))
    return Guidance((away,)) if scale == 0 else Guidance((away, to), scale)


def guided_to_class(label: int, none: int, scale: float) -> Guidance:
    """Guidance to a class, away from the label that means no class; equal where the network knows no classes."""
    to, away = ({"label": np.asarray(one, np.int64)} for one in (label, none))
    return guided(to, None if label == none else away, scale)


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What must stay: `source`[c, h, w] in [-1, 1] where `free`[1, h, w] is 0; between 0 and 1 they mix.

    `noise` is what the source was first drowned in, and stays in it to the end (Song et al. 2021, "Score-based
    generative modeling through SDEs", appendix I.2); none for a network that learnt to be told the source as it is.
    Shapes other than [c, h, w] are the model's own.
    """

    source: Array
    free: Array
    noise: Array | None

    def kept(self, x: Array, alpha: float, sigma: float) -> Array:
        """x with what is known in its place, as noisy as x is."""
        known = self.source
        if self.noise is not None:
            known = np.float32(alpha) * self.source + np.float32(sigma) * self.noise
        kept: Array = self.free * x + (1 - self.free) * known
        return kept


@dataclass(slots=True, eq=False)
class Denoising:
    """`x`[c, h, w] at step `first` of the course; steps count from there.

    `show` makes a medium of x_0; `told` is what else the network takes, the same at each step.
    """

    index: int
    x: Array
    course: Course
    solver: Solver
    guidance: Guidance
    prediction: Prediction
    rng: RequestRng
    show: Callable[[Array], Media]
    first: int = 0
    known: Known | None = None
    clip: bool = True
    preview_every: int = 0
    told: Mapping[str, Array] = field(default_factory=dict)
    network: str = DENOISER
    done: bool = False
    steps_done: int = 0
    steps_total: int = field(init=False)
    _x0: Array | None = None
    _h: float = np.nan
    _same: Rows = field(init=False)  # the inputs that are the same at each step

    def __post_init__(self) -> None:
        self.steps_total = self.course.steps - self.first
        rows = self.guidance.rows
        told = {name: np.repeat(one[None], len(rows), 0) for name, one in self.told.items()}
        self._same = {**told, **{name: np.stack([row[name] for row in rows]) for name in rows[0]}}

    def inputs(self) -> Rows:
        """The picture as it is, once for each row that guidance asks for."""
        rows = len(self.guidance.rows)
        t = np.full(rows, self.course.t[self._at], np.float32)
        return {"x": np.repeat(self.x[None], rows, 0), "t": t, **self._same}

    def take(self, outputs: Rows) -> None:
        """The predictions [rows, c, h, w]: one step towards the picture."""
        at, course = self._at, self.course
        alpha, sigma = float(course.alpha[at]), float(course.sigma[at])
        said = self.guidance.joined(outputs["prediction"])
        x0, epsilon = split(self.prediction, said, self.x, alpha, sigma)
        if self.clip:
            x0 = np.clip(x0, np.float32(-1), np.float32(1))
            epsilon = np.float32(1 / sigma) * (self.x - np.float32(alpha) * x0)
        alpha_next, sigma_next = float(course.alpha[at + 1]), float(course.sigma[at + 1])
        move = Move(
            self.x, x0, epsilon, alpha, sigma, alpha_next, sigma_next, self._x0, self._h, lambda: self._noise(at)
        )
        self.x = self.solver.advance(move)
        if self.known is not None:
            self.x = self.known.kept(self.x, alpha_next, sigma_next)
            x0 = self.known.kept(x0, 1.0, 0.0)
        self._x0, self._h = x0, move.h
        self.steps_done += 1
        self.done = at + 1 == course.steps

    def preview(self) -> Media | None:
        """x_0 as the network sees it now, in every n-th event."""
        wanted = self.preview_every > 0 and self.steps_done % self.preview_every == 0
        return self._estimate() if wanted else None

    def partial(self) -> Result | None:
        """x_0 as the network sees it now; None before the first step."""
        estimate = self._estimate()
        return None if estimate is None else Result(self.index, estimate)

    def result(self) -> Result:
        """The picture."""
        return Result(self.index, self.show(self.x))

    @property
    def _at(self) -> int:
        return self.first + self.steps_done

    def _estimate(self) -> Media | None:
        return None if self._x0 is None else self.show(self._x0)

    def _noise(self, step: int) -> Array:
        return self.rng.normal("diffusion/step", step, self.x.shape)
