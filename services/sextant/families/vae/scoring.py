"""Scoring a picture: one call of the encoder, then its importance samples through the decoder, some a step."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sextant.contract.events import Estimator, Likelihood, Result
from sextant.families.decoding import with_label
from sextant.families.row_states import Rows
from sextant.families.standard_normal import LOG_2PI, log_density
from sextant.families.vae.bounds import elbo, iwae
from sextant.families.vae.encoding import ENCODER
from sextant.families.vae.pixel_likelihood import log_likelihood
from sextant.runtime.rng import RequestRng

# A single sample says nothing of its own spread, so the ELBO is averaged over this many.
ELBO_DRAWS = 16

DECODER = "decoder"


def draws_for(importance_samples: int) -> int:
    """How many samples of z a score takes: those asked for, except that the ELBO, which is one, is averaged."""
    return ELBO_DRAWS if importance_samples == 1 else importance_samples


@dataclass(slots=True)
class Scoring:
    """`levels` uint8[c, h, w] on their way to a bound on log p(levels); with classes, given the label.

    Sample j is drawn from `rng` by j alone, so the first samples are the same however many follow, and however many
    go in a step (`rows`). What is drawn depends on the request's seed, never on the picture's place in it.
    """

    index: int
    levels: NDArray[np.uint8]
    label: int | None
    rng: RequestRng
    importance_samples: int
    rows: int
    scale: float
    mean: NDArray[np.float32] | None = None  # of q(z | x), and with it its log-variance
    log_variance: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    z: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))  # of the call under way
    log_weights: list[NDArray[np.float64]] = field(default_factory=list)
    drawn: int = 0
    done: bool = False
    steps_done: int = 0
    steps_total: int = field(init=False)

    def __post_init__(self) -> None:
        self.steps_total = 1 + -(-draws_for(self.importance_samples) // self.rows)

    @property
    def network(self) -> str:
        """First the encoder, then the decoder."""
        return ENCODER if self.mean is None else DECODER

    def inputs(self) -> Rows:
        """The picture, or the next samples of z."""
        if self.mean is None:
            return with_label("image", self.levels[None].astype(np.float32) / np.float32(255), self.label)
        count = min(self.rows, draws_for(self.importance_samples) - self.drawn)
        samples = range(self.drawn, self.drawn + count)
        noise = np.stack([self.rng.normal("score", index, self.mean.shape) for index in samples])
        self.z = self.mean + np.exp(np.float32(0.5) * self.log_variance) * noise
        return with_label("z", self.z, self.label)

    def take(self, outputs: Rows) -> None:
        """q(z | x), or the means of p(x | z) for the samples."""
        if self.mean is None:
            self.mean, self.log_variance = outputs["mean"][0].copy(), outputs["log_variance"][0].copy()
        else:
            means = outputs["image"].reshape(len(self.z), -1)
            likelihood = log_likelihood(self.levels.reshape(-1), means, self.scale)
            self.log_weights.append(likelihood + log_density(self.z) - self._log_posterior(self.mean))
            self.drawn += len(self.z)
            self.done = self.drawn == draws_for(self.importance_samples)
        self.steps_done += 1

    def result(self) -> Result:
        """The ELBO for one importance sample, IWAE-k for several."""
        log_weights = np.concatenate(self.log_weights)
        bound = elbo(log_weights) if self.importance_samples == 1 else iwae(log_weights)
        likelihood = Likelihood(bound.nats, self.levels.size, Estimator.LOWER_BOUND, bound.standard_error_nats)
        return Result(self.index, likelihood)

    def _log_posterior(self, mean: NDArray[np.float32]) -> NDArray[np.float64]:
        """log q(z | x) in nats, [rows]: of z as the decoder saw it, rounding included."""
        log_variance = self.log_variance.astype(np.float64)
        squares = np.square(self.z.astype(np.float64) - mean) * np.exp(-log_variance)
        nats: NDArray[np.float64] = -0.5 * (squares + log_variance + LOG_2PI).sum(axis=-1)
        return nats
