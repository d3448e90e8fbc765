"""VQ-GAN's training (Esser et al. 2021): pictures that come back through a codebook, and look real in every patch.

The codebook follows the encoder by running means (van den Oord et al. 2017, A.1), and the encoder keeps near to it by
the commitment term (eq. 3), its gradient passed straight through. A code that stands for next to nothing is put where a
vector of the batch lies (Dhariwal et al. 2020, "Jukebox", section 3.1); so the first batch fills the codebook.
"""

from collections.abc import Mapping
from itertools import chain
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sextant.families.gan.cycle_networks import PatchDiscriminator
from sextant.families.gan.train import falling, learn, set_rate
from sextant.families.gan.vq_networks import Codebook, VqGan

_STRUCTURE = 0.3  # of what pictures lack of SSIM, beside the absolute error a pixel
_COMMITMENT = 0.25
_ADVERSARIAL = 0.5  # of the adaptive weight
_MOST_WEIGHT = 100.0
_JUDGED_FROM = 0.4  # of the run: what is adversarial comes when pictures come back at all
_SETTLED_FROM = 0.8  # of the run: from there on no code is moved
_DECAY = 0.98
_FEWEST = 0.5  # vectors a batch, on average, below which a code is taken for dead
_CLIP = 1.0


class VqGanTraining:
    """Adam for both players, at a rate that falls over the second half of the run."""

    def __init__(self, model: VqGan, judge_width: int = 24, rate: float = 1e-3, judge_rate: float = 3e-4) -> None:
        self.model, self.judge = model, PatchDiscriminator(judge_width)
        self._rate, self._judge_rate = rate, judge_rate
        self._learnt = [*chain(model.encoder.parameters(), model.decoder.parameters())]
        self._adam = torch.optim.Adam(self._learnt, rate, betas=(0.5, 0.9))
        self._judge_adam = torch.optim.Adam(self.judge.parameters(), judge_rate, betas=(0.5, 0.9))

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        return {"model": self.model, "judge": self.judge}

    @property
    def optimisers(self) -> Mapping[str, Any]:
        return {"model": self._adam, "judge": self._judge_adam}

    def step(self, batch: tuple[Tensor, ...], progress: float) -> Mapping[str, Tensor]:
        """`batch` begins with pictures uint8[b, 3, h, w]."""
        picture = batch[0].float() / 255
        set_rate({"model": self._adam}, self._rate * falling(progress))
        set_rate({"judge": self._judge_adam}, self._judge_rate * falling(progress))
        codebook = self.model.codebook
        with torch.autocast("cpu", torch.bfloat16):
            given = self.model.encoder(picture)
        with torch.no_grad():
            if progress < _SETTLED_FROM:
                revive(codebook, given)
            codes = codebook.distances(given).argmin(1)
            nearest = codebook.vectors_of(codes)
        with torch.autocast("cpu", torch.bfloat16):
            made = self.model.decoder(given + (nearest - given).detach())
        error = (made - picture).abs().mean()
        structure = 1 - similarity(made, picture)
        commitment = F.mse_loss(given, nearest)
        (pull,) = torch.autograd.grad(error + _STRUCTURE * structure, made, retain_graph=True)
        told = {"error": error, "structure": structure, "commitment": commitment}
        if progress >= _JUDGED_FROM:
            push, told["judged"] = self._pushed(made)
            told["weight"] = weight = self._weight(made, pull, push)
            pull = pull + _ADVERSARIAL * weight * push
        self._adam.zero_grad(set_to_none=True)
        torch.autograd.backward([made, _COMMITMENT * commitment], [pull, None])
        nn.utils.clip_grad_norm_(self._learnt, _CLIP)
        self._adam.step()
        follow(codebook, given.detach(), codes)
        if progress >= _JUDGED_FROM:
            told["judge"] = self._judge(picture, made.detach())
        told["used"] = (codebook.counts > _FEWEST).float().mean()
        return {name: value.detach() for name, value in told.items()}

    def _pushed(self, made: Tensor) -> tuple[Tensor, Tensor]:
        """Where the judge would have the pictures go, as a gradient, and its mean score of them."""
        with torch.autocast("cpu", torch.bfloat16):
            score = self.judge(made * 2 - 1).float().mean()
        (push,) = torch.autograd.grad(-score, made, retain_graph=True)
        return push, score

    def _weight(self, made: Tensor, pull: Tensor, push: Tensor) -> Tensor:
        """The adaptive weight (eq. 7): how strongly either moves the decoder's last layer."""
        last = self.model.decoder.last.weight
        norms = [torch.autograd.grad(made, last, way, retain_graph=True)[0].norm() for way in (pull, push)]
        return (norms[0] / (norms[1] + 1e-4)).clamp(max=_MOST_WEIGHT)

    def _judge(self, picture: Tensor, made: Tensor) -> Tensor:
        """A step of the judge, by the hinge loss."""
        with torch.autocast("cpu", torch.bfloat16):
            real, false = self.judge(torch.cat([picture, made]) * 2 - 1).float().chunk(2)
        loss = (F.relu(1 - real).mean() + F.relu(1 + false).mean()) / 2
        learn(self._judge_adam, loss)
        return loss


def similarity(first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004, eq. 13) of pictures[b, c, h, w] in [0, 1], by windows of 8 x 8."""
    pool = nn.AvgPool2d(8, stride=2)
    a, b = pool(first), pool(second)
    aa, bb, ab = pool(first * first) - a * a, pool(second * second) - b * b, pool(first * second) - a * b
    light = (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)
    return (light * (2 * ab + 9e-4) / (aa + bb + 9e-4)).mean()


@torch.no_grad()
def revive(codebook: Codebook, given: Tensor) -> None:
    """Codes that stood for next to nothing are put where vectors of given[b, depth, h, w] lie, drawn at random."""
    dead = codebook.counts < _FEWEST
    if not dead.any():
        return
    flat = given.permute(0, 2, 3, 1).reshape(-1, codebook.depth)
    chosen = flat[torch.randint(len(flat), (int(dead.sum()),))]
    codebook.vectors[dead] = chosen
    codebook.counts[dead] = 2 * _FEWEST  # a while to prove itself
    codebook.sums[dead] = 2 * _FEWEST * chosen


@torch.no_grad()
def follow(codebook: Codebook, given: Tensor, codes: Tensor) -> None:
    """The running means, one batch on: given[b, depth, h, w] and the codes[b, h, w] that stood for it."""
    flat = given.permute(0, 2, 3, 1).reshape(-1, codebook.depth)
    counts = torch.bincount(codes.flatten(), minlength=codebook.size).float()
    sums = torch.zeros_like(codebook.sums).index_add_(0, codes.flatten(), flat)
    codebook.counts.lerp_(counts, 1 - _DECAY)
    codebook.sums.lerp_(sums, 1 - _DECAY)
    codebook.vectors.copy_(codebook.sums / (codebook.counts[:, None] + 1e-5))
