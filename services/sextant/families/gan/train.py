"""The adversarial game: a discriminator learns to tell real from made, a generator learns to be taken for real.

Goodfellow et al. 2014. Each kind of GAN plays it with the loss of its paper:
DCGAN the non-saturating logistic loss, BigGAN the hinge loss.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sextant.families.exponential_average import ExponentialAverage
from sextant.families.gan.networks import BigganDiscriminator, BigganGenerator, DcganDiscriminator, DcganGenerator

_AVERAGE_DECAY = 0.999


class DcganTraining:
    """DCGAN (Radford et al. 2016): one step of each player per batch; Adam(2e-4, 0.5), as the paper has it.

    Its learning rate falls to zero over the second half of the run.
    """

    def __init__(self, generator: DcganGenerator, discriminator: DcganDiscriminator, rate: float = 2e-4) -> None:
        self.generator, self.discriminator = generator, discriminator
        self.average = ExponentialAverage(generator, _AVERAGE_DECAY)
        self._rate = rate
        self._g = torch.optim.Adam(generator.parameters(), rate, betas=(0.5, 0.999))
        self._d = torch.optim.Adam(discriminator.parameters(), rate, betas=(0.5, 0.999))

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        return {"generator": self.generator, "discriminator": self.discriminator, "average": self.average.module}

    @property
    def optimisers(self) -> Mapping[str, Any]:
        return {"generator": self._g, "discriminator": self._d}

    def step(self, batch: tuple[Tensor, ...], progress: float) -> Mapping[str, Tensor]:
        """`batch` is (picture[b, c, h, w] in [-1, 1],)."""
        (real,) = batch
        set_rate(self.optimisers, self._rate * falling(progress))
        with torch.autocast("cpu", torch.bfloat16):
            made = self.generator(torch.randn(len(real), self.generator.latent_dim))
            logit_real = self.discriminator(real).float()
            logit_made = self.discriminator(made.detach()).float()
            d_loss = F.softplus(-logit_real).mean() + F.softplus(logit_made).mean()
        learn(self._d, d_loss)
        with torch.autocast("cpu", torch.bfloat16):
            g_loss = F.softplus(-self.discriminator(made).float()).mean()
        learn(self._g, g_loss)
        self.average.update(self.generator, progress)
        return {"d": d_loss.detach(), "g": g_loss.detach()}


class BigganTraining:
    """Hinge loss (Lim & Ye 2017), two time scales (Heusel et al. 2017), as in Brock et al. 2019."""

    def __init__(
        self,
        generator: BigganGenerator,
        discriminator: BigganDiscriminator,
        classes: int,
        g_rate: float = 2e-4,
        d_rate: float = 4e-4,
    ) -> None:
        self.generator, self.discriminator, self._classes = generator, discriminator, classes
        self.average = ExponentialAverage(generator, _AVERAGE_DECAY)
        self._rates = {"generator": g_rate, "discriminator": d_rate}
        self._g = torch.optim.Adam(generator.parameters(), g_rate, betas=(0.0, 0.999))
        self._d = torch.optim.Adam(discriminator.parameters(), d_rate, betas=(0.0, 0.999))

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        return {"generator": self.generator, "discriminator": self.discriminator, "average": self.average.module}

    @property
    def optimisers(self) -> Mapping[str, Any]:
        return {"generator": self._g, "discriminator": self._d}

    def step(self, batch: tuple[Tensor, ...], progress: float) -> Mapping[str, Tensor]:
        """`batch` is (picture[b, c, h, w] in [-1, 1], label int64[b])."""
        real, label = batch
        for name, optimiser in self.optimisers.items():
            set_rate({name: optimiser}, self._rates[name] * falling(progress))
        wanted = torch.randint(self._classes, (len(real),))
        with torch.autocast("cpu", torch.bfloat16):
            made = self.generator(torch.randn(len(real), self.generator.latent_dim), wanted)
            logits = self.discriminator(torch.cat([real, made.detach()]), torch.cat([label, wanted])).float()
            logit_real, logit_made = logits.chunk(2)
            d_loss = F.relu(1 - logit_real).mean() + F.relu(1 + logit_made).mean()
        learn(self._d, d_loss)
        with torch.autocast("cpu", torch.bfloat16):
            g_loss = -self.discriminator(made, wanted).float().mean()
        learn(self._g, g_loss)
        self.average.update(self.generator, progress)
        return {"d": d_loss.detach(), "g": g_loss.detach()}


def learn(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step down the loss."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()


def falling(progress: float) -> float:
    """1 over the first half of the run, then down to 0 in a line."""
    return min(1.0, 2.0 * (1.0 - progress))


def set_rate(optimisers: Mapping[str, torch.optim.Optimizer], rate: float) -> None:
    """The learning rate of all of them."""
    for optimiser in optimisers.values():
        for group in optimiser.param_groups:
            group["lr"] = rate
