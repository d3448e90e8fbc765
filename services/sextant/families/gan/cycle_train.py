"""CycleGAN's game (Zhu et al. 2017, eq. 1 to 3): there and back again must be where one began.

Loss of the generators: least-squares adversarial, plus CYCLE times the L1 distance after a round trip, plus IDENTITY
times that of a picture which is of the wanted style already (section 5.2).
"""

from collections.abc import Mapping
from itertools import chain
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sextant.families.exponential_average import ExponentialAverage
from sextant.families.gan.cycle_networks import CycleGenerator, PatchDiscriminator, squared
from sextant.families.gan.train import falling, learn, set_rate

_AVERAGE_DECAY = 0.998


class CycleTraining:
    """`there` goes from style a to style b, `back` from b to a."""

    CYCLE, IDENTITY = 10.0, 2.0

    def __init__(self, there: CycleGenerator, back: CycleGenerator, width: int, rate: float = 4e-4) -> None:
        self.there, self.back, self._rate = there, back, rate
        self.judge_a, self.judge_b = PatchDiscriminator(width), PatchDiscriminator(width)
        self.there_average = ExponentialAverage(there, _AVERAGE_DECAY)
        self.back_average = ExponentialAverage(back, _AVERAGE_DECAY)
        generators = chain(there.parameters(), back.parameters())
        judges = chain(self.judge_a.parameters(), self.judge_b.parameters())
        self._g = torch.optim.Adam(generators, rate, betas=(0.5, 0.999))
        self._d = torch.optim.Adam(judges, rate, betas=(0.5, 0.999))

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        return {
            "there": self.there,
            "back": self.back,
            "judge_a": self.judge_a,
            "judge_b": self.judge_b,
            "there_average": self.there_average.module,
            "back_average": self.back_average.module,
        }

    @property
    def optimisers(self) -> Mapping[str, Any]:
        return {"generators": self._g, "judges": self._d}

    def step(self, batch: tuple[Tensor, ...], progress: float) -> Mapping[str, Tensor]:
        """`batch` is (a uint8[n, 3, h, w], b uint8[n, 3, h, w]); the rows of b are shuffled: nothing is paired."""
        set_rate(self.optimisers, self._rate * falling(progress))
        a = _varied(batch[0].float() / 127.5 - 1)
        b = _varied(batch[1][torch.randperm(len(batch[1]))].float() / 127.5 - 1)
        with torch.autocast("cpu", torch.bfloat16):
            made_b, made_a = self.there(a), self.back(b)
            d_loss = squared(self.judge_a(a), 1) + squared(self.judge_a(made_a.detach()), 0)
            d_loss = d_loss + squared(self.judge_b(b), 1) + squared(self.judge_b(made_b.detach()), 0)
        learn(self._d, d_loss)
        with torch.autocast("cpu", torch.bfloat16):
            fooled = squared(self.judge_b(made_b), 1) + squared(self.judge_a(made_a), 1)
            cycle = F.l1_loss(self.back(made_b), a) + F.l1_loss(self.there(made_a), b)
            same = F.l1_loss(self.there(b), b) + F.l1_loss(self.back(a), a)
        learn(self._g, fooled + self.CYCLE * cycle + self.IDENTITY * same)
        for average, generator in ((self.there_average, self.there), (self.back_average, self.back)):
            average.update(generator, progress)
        return {"judges": d_loss.detach(), "fooled": fooled.detach(), "cycle": cycle.detach()}


def _varied(picture: Tensor) -> Tensor:
    """Half of the batches mirrored, and each moved by up to four pixels over white: more pictures from few."""
    if torch.rand(()) < 0.5:
        picture = picture.flip(3)
    down, right = (int(torch.randint(0, 9, ())) for _ in range(2))
    height, width = picture.shape[2:]
    return F.pad(picture, (4, 4, 4, 4), value=1.0)[:, :, down : down + height, right : right + width]
