"""Encoding with a network that only decodes: the latent whose picture comes nearest to the one given.

Inversion by optimisation (Zhu et al. 2016; for StyleGAN Abdal et al. 2019), without gradients: the serving runtime
has none. Levenberg's and Marquardt's method (1944, 1963) takes the Jacobian J by forward differences, all d + 1 rows
of an iteration in one call, and steps to

    z - (J'J + (prior + damping) I)^-1 (J'(G(z) - x) + prior (z - centre)),

where `prior` keeps z where the generator was trained. A step that helps lowers the damping, one that does not raises
it and is taken back. The first call tries d + 1 points at random and begins with the best.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sextant.contract.events import Result, Usage
from sextant.contract.media import Image, Latent
from sextant.families.pixels import to_image
from sextant.families.row_states import Rows

_STEP = 0.03  # of the forward differences: wide enough to see over the kinks of a piecewise linear network
_PRIOR_PER_PIXEL = 1.3e-5
_FIRST_DAMPING = 1.0
_LOWER, _RAISE = 1 / 3, 4.0
_LEAST_DAMPING, _MOST_DAMPING = 1e-4, 1e6
_PREVIEW_EVERY = 5


@dataclass(slots=True)
class Inverting:
    """`target` float32[c, h, w] on its way to a latent of `space`.

    `candidates` float32[d + 1, d] are the points of the first call; `centre` float64[d] is where the prior pulls;
    `rows_of` turns points [n, d] into the inputs of `network`.
    """

    index: int
    target: NDArray[np.float32]
    space: str
    candidates: NDArray[np.float32]
    centre: NDArray[np.float64]
    rows_of: Callable[[NDArray[np.float32]], Rows]
    steps_total: int
    network: str
    done: bool = False
    steps_done: int = 0
    _points: NDArray[np.float32] = field(init=False)
    _best: NDArray[np.float64] = field(init=False)
    _best_pixels: NDArray[np.float32] = field(init=False)
    _loss: float = np.inf
    _damping: float = _FIRST_DAMPING
    # J'J [d, d] and J'(G(z) - x) [d] at the best point; None until its Jacobian is known.
    _normal: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    def __post_init__(self) -> None:
        self._points = self.candidates

    def inputs(self) -> Rows:
        """The points to try: at first many, then one with its neighbours along every axis."""
        return self.rows_of(self._points)

    def take(self, outputs: Rows) -> None:
        """Their pictures [d + 1, c, h, w]."""
        pictures = outputs["image"]
        if self.steps_done == 0:
            self._begin(pictures)
        else:
            self._judge(pictures)
        self.steps_done += 1
        self.done = self.steps_done == self.steps_total
        if not self.done:
            self._points = self._around(self._best if self._normal is None else self._next())

    def preview(self) -> Image | None:
        """The picture of the best point so far, every few steps."""
        return to_image(self._best_pixels) if self.steps_done % _PREVIEW_EVERY == 0 else None

    def result(self) -> Result:
        """The latent."""
        latent = Latent(self.space, self._best.astype(np.float32))
        return Result(self.index, latent, usage=Usage(steps=self.steps_done))

    @property
    def _prior(self) -> float:
        return _PRIOR_PER_PIXEL * self.target.size

    def _begin(self, pictures: NDArray[np.float32]) -> None:
        losses = [self._loss_at(point, picture) for point, picture in zip(self._points, pictures, strict=True)]
        best = int(np.argmin(losses))
        self._best, self._loss = self._points[best].astype(np.float64), losses[best]
        self._best_pixels = pictures[best].copy()

    def _judge(self, pictures: NDArray[np.float32]) -> None:
        """Row 0 is the new point, the others are its neighbours."""
        loss = self._loss_at(self._points[0], pictures[0])
        if self._normal is not None and not loss < self._loss:  # NaN is no improvement either
            self._damping = min(self._damping * _RAISE, _MOST_DAMPING)
            return
        if self._normal is not None:
            self._damping = max(self._damping * _LOWER, _LEAST_DAMPING)
        self._best, self._loss = self._points[0].astype(np.float64), loss
        self._best_pixels = pictures[0].copy()
        flat = pictures.reshape(len(pictures), -1).astype(np.float64)
        jacobian = (flat[1:] - flat[0]) / _STEP  # [d, pixels]
        residual = flat[0] - self.target.reshape(-1)
        self._normal = jacobian @ jacobian.T, jacobian @ residual

    def _next(self) -> NDArray[np.float64]:
        assert self._normal is not None
        curvature, slope = self._normal
        pull = self._prior * (self._best - self.centre)
        damped = curvature + (self._prior + self._damping) * np.eye(len(curvature))
        return self._best - np.linalg.solve(damped, slope + pull)

    def _around(self, point: NDArray[np.float64]) -> NDArray[np.float32]:
        points = np.repeat(point[None].astype(np.float32), len(point) + 1, 0)
        points[1:] += np.float32(_STEP) * np.eye(len(point), dtype=np.float32)
        return points

    def _loss_at(self, point: NDArray[np.floating], picture: NDArray[np.float32]) -> float:
        residual = picture.astype(np.float64) - self.target
        distance = point.astype(np.float64) - self.centre
        return float(np.square(residual).sum() + self._prior * np.square(distance).sum())
