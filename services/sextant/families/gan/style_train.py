"""ProGAN's and StyleGAN's games: the Wasserstein loss with gradient penalty, and the logistic loss with R1."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sextant.families.exponential_average import ExponentialAverage
from sextant.families.gan.progressive_networks import ProganDiscriminator, ProganGenerator
from sextant.families.gan.style_networks import StyleDiscriminator, StyleGenerator
from sextant.families.gan.train import learn

_AVERAGE_DECAY = 0.998
_BETAS = (0.0, 0.99)


@dataclass(frozen=True, slots=True)
class Stage:
    """A level of ProGAN's growth: it lasts until `until` of the run, its first `fading` part a blend with the last."""

    level: int
    until: float
    fading: float


class ProganTraining:
    """WGAN-GP (Gulrajani et al. 2017, eq. 3) with a drift term, growing level by level (Karras et al. 2018, A.1)."""

    PENALTY, DRIFT = 10.0, 1e-3

    def __init__(
        self, generator: ProganGenerator, critic: ProganDiscriminator, stages: Sequence[Stage], rate: float = 1e-3
    ) -> None:
        self.generator, self.critic, self._stages = generator, critic, tuple(stages)
        self.average = ExponentialAverage(generator, _AVERAGE_DECAY)
        self._g = torch.optim.Adam(generator.parameters(), rate, betas=_BETAS)
        self._d = torch.optim.Adam(critic.parameters(), rate, betas=_BETAS)

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        return {"generator": self.generator, "critic": self.critic, "average": self.average.module}

    @property
    def optimisers(self) -> Mapping[str, Any]:
        return {"generator": self._g, "critic": self._d}

    def step(self, batch: tuple[Tensor, ...], progress: float) -> Mapping[str, Tensor]:
        """`batch` is (picture uint8[b, 3, h, w],) at full size."""
        level, blend = self._place(progress)
        real = _shown(batch[0], self.generator.levels - 1 - level, blend)
        z = torch.randn(len(real), self.generator.latent_dim)
        with torch.autocast("cpu", torch.bfloat16):
            made = self.generator(z, level, blend)
            # Each on its own: the critic sees the deviation within a batch, which must be of one kind.
            value_real = self.critic(real, level, blend).float()
            value_made = self.critic(made.detach(), level, blend).float()
        penalty = self._penalty(real, made.detach().float(), level, blend)
        d_loss = value_made.mean() - value_real.mean() + self.PENALTY * penalty
        d_loss = d_loss + self.DRIFT * value_real.square().mean()
        learn(self._d, d_loss)
        with torch.autocast("cpu", torch.bfloat16):
            g_loss = -self.critic(made, level, blend).float().mean()
        learn(self._g, g_loss)
        self.average.update(self.generator, progress)
        return {"distance": (value_real - value_made).mean().detach(), "penalty": penalty.detach()}

    def _penalty(self, real: Tensor, made: Tensor, level: int, blend: float) -> Tensor:
        """How far the critic's slope is from 1, between real and made pictures."""
        share = torch.rand(len(real), 1, 1, 1)
        between = (real + share * (made - real)).requires_grad_(True)
        with torch.autocast("cpu", torch.bfloat16):
            value = self.critic(between, level, blend).float().sum()
        (slope,) = torch.autograd.grad(value, between, create_graph=True)
        return (slope.float().flatten(1).norm(dim=1) - 1).square().mean()

    def _place(self, progress: float) -> tuple[int, float]:
        """Level and blend at this point of the run."""
        since = 0.0
        for stage in self._stages:
            if progress < stage.until or stage is self._stages[-1]:
                faded = (progress - since) / stage.fading if stage.fading else 1.0
                return stage.level, min(1.0, max(faded, 1e-3))
            since = stage.until
        raise ValueError("a run has at least one stage")


class StyleTraining:
    """Non-saturating logistic loss with lazy R1 (Mescheder et al. 2018; Karras et al. 2020, section 3.1)."""

    R1, R1_EVERY, MIXING = 2.0, 8, 0.5

    def __init__(self, generator: StyleGenerator, discriminator: StyleDiscriminator, rate: float = 2e-3) -> None:
        self.generator, self.discriminator = generator, discriminator
        self.average = ExponentialAverage(generator, _AVERAGE_DECAY)
        self._g = torch.optim.Adam(generator.parameters(), rate, betas=_BETAS)
        self._d = torch.optim.Adam(discriminator.parameters(), rate, betas=_BETAS)

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        return {"generator": self.generator, "discriminator": self.discriminator, "average": self.average.module}

    @property
    def optimisers(self) -> Mapping[str, Any]:
        return {"generator": self._g, "discriminator": self._d}

    def step(self, batch: tuple[Tensor, ...], progress: float) -> Mapping[str, Tensor]:
        """`batch` is (picture uint8[b, 3, h, w],)."""
        real = batch[0].float() / 127.5 - 1
        with torch.autocast("cpu", torch.bfloat16):
            made = self._made(len(real))
            # In one call, so that the deviation which the discriminator sees is of both kinds together.
            logits = self.discriminator(torch.cat([real, made.detach()])).float()
            logit_real, logit_made = logits.chunk(2)
            d_loss = F.softplus(-logit_real).mean() + F.softplus(logit_made).mean()
        # Every so often, so that often stronger. The step is drawn, not counted: a resumed run draws the same.
        r1 = torch.zeros(())
        if torch.rand(()) < 1 / self.R1_EVERY:
            r1 = self._slope(real)
            d_loss = d_loss + 0.5 * self.R1 * self.R1_EVERY * r1
        learn(self._d, d_loss)
        with torch.autocast("cpu", torch.bfloat16):
            g_loss = F.softplus(-self.discriminator(made).float()).mean()
        learn(self._g, g_loss)
        self.average.update(self.generator, progress)
        return {"d": d_loss.detach(), "g": g_loss.detach(), "r1": r1.detach()}

    def _made(self, count: int) -> Tensor:
        z = torch.randn(count, self.generator.latent_dim)
        if torch.rand(()) < self.MIXING:
            layer = int(torch.randint(1, self.generator.synthesis.layers, ()))
            made: Tensor = self.generator(z, torch.randn_like(z), layer)
            return made
        plain: Tensor = self.generator(z)
        return plain

    def _slope(self, real: Tensor) -> Tensor:
        """Mean squared slope of the logit at real pictures."""
        real = real.detach().requires_grad_(True)
        with torch.autocast("cpu", torch.bfloat16):
            logit = self.discriminator(real).float().sum()
        (slope,) = torch.autograd.grad(logit, real, create_graph=True)
        return slope.float().square().flatten(1).sum(1).mean()


def _shown(picture: Tensor, halvings: int, blend: float) -> Tensor:
    """Real pictures at the size of the level, as sharp as the blend lets the generator's be; in [-1, 1]."""
    real = picture.float() / 127.5 - 1
    for _ in range(halvings):
        real = F.avg_pool2d(real, 2)
    if blend < 1:
        coarse = F.interpolate(F.avg_pool2d(real, 2), scale_factor=2.0, mode="nearest")
        real = coarse + blend * (real - coarse)
    return real
