"""The network that denoises piano rolls: a U-Net along time (Ho et al. 2020, appendix B). Training and export only.

It answers with the expectation of the clean roll, from a softmax over what each voice may sound (Dieleman et al. 2022,
"Continuous diffusion for categorical data", section 3.2), and it is told which notes are known beforehand, so that it
composes to them rather than beside them (Saharia et al. 2022, "Palette", section 3).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sextant.families.diffusion.networks import time_features
from sextant.families.diffusion.piano_roll import AGAIN, ROWS, VOICES

_GROUPS = 8
_HEADS = 4
_BEAT = 4
_FORGOTTEN = 0.1  # there are some three hundred pieces to learn from


class RollUNet(nn.Module):
    """x[b, 4, rows, t], timestep t[b], label[b], known[b, 4, 1, t] -> the clean roll, expected, [b, 4, rows, t].

    Where `known` is 1, x holds the clean roll. The length is fixed: `places` tells the network where in it, and so
    where in the bar, it is. Label `classes` means none.
    """

    def __init__(self, length: int, classes: int, width: int = 144, coarse: int = 192, steps: int = 1000) -> None:
        super().__init__()
        self.length, self.classes, self.steps = length, classes, steps
        told = 256
        self.time = nn.Sequential(nn.Linear(64, told), nn.SiLU(), nn.Linear(told, told))
        self.label = nn.Embedding(classes + 1, told)
        self.enter = nn.Conv1d(len(VOICES) * (ROWS + 1), width, 3, padding=1)
        self.places = nn.Parameter(torch.zeros(width, length))
        self.down = nn.ModuleList([_Residual(width, width, told) for _ in range(2)])
        self.shrink = nn.Conv1d(width, coarse, _BEAT, stride=_BEAT)
        self.coarse = nn.ModuleList(
            [part for _ in range(3) for part in (_Residual(coarse, coarse, told), _Attention(coarse))]
        )
        self.grow = nn.Conv1d(coarse, width, 3, padding=1)
        self.up = nn.ModuleList([_Residual(2 * width, width, told) for _ in range(2)])
        self.leave = nn.Sequential(_norm(width), nn.SiLU(), nn.Conv1d(width, len(VOICES) * ROWS, 3, padding=1))

    def logits(self, x: Tensor, t: Tensor, label: Tensor, known: Tensor) -> Tensor:
        """[b, 4, rows, t]: of the rows up to `AGAIN` one is on; the last is on or off by itself."""
        told = self.time(time_features(t / self.steps)) + self.label(label)
        h = self.enter(torch.cat([x, known], 2).flatten(1, 2)) + self.places
        kept = []
        for block in self.down:
            h = block(h, told)
            kept.append(h)
        h = self.shrink(h)
        for block in self.coarse:
            h = block(h, told)
        h = self.grow(F.interpolate(h, scale_factor=float(_BEAT), mode="nearest"))
        for block in self.up:
            h = block(torch.cat([h, kept.pop()], 1), told)
        return self.leave(h).reshape(x.shape)

    def forward(self, x: Tensor, t: Tensor, label: Tensor, known: Tensor) -> Tensor:
        logits = self.logits(x, t, label, known)
        return 2 * torch.cat([logits[:, :, :AGAIN].softmax(2), logits[:, :, AGAIN:].sigmoid()], 2) - 1


class _Residual(nn.Module):
    """Two convolutions; what is told of time and class scales and shifts between them."""

    def __init__(self, wide_in: int, wide_out: int, told: int) -> None:
        super().__init__()
        self.first = nn.Sequential(_norm(wide_in), nn.SiLU(), nn.Conv1d(wide_in, wide_out, 3, padding=1))
        self.tell = nn.Sequential(nn.SiLU(), nn.Linear(told, 2 * wide_out))
        self.norm = _norm(wide_out)
        self.second = nn.Conv1d(wide_out, wide_out, 3, padding=1)
        self.skip = nn.Identity() if wide_in == wide_out else nn.Conv1d(wide_in, wide_out, 1)
        self.forget = nn.Dropout(_FORGOTTEN)
        nn.init.zeros_(self.second.weight)

    def forward(self, h: Tensor, told: Tensor) -> Tensor:
        scale, shift = self.tell(told)[:, :, None].chunk(2, dim=1)
        inner = self.norm(self.first(h)) * (1 + scale) + shift
        return self.skip(h) + self.second(self.forget(F.silu(inner)))


class _Attention(nn.Module):
    """Every beat looks at every other (Vaswani et al. 2017)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = _norm(width)
        self.ask = nn.Conv1d(width, 3 * width, 1)
        self.answer = nn.Conv1d(width, width, 1)
        nn.init.zeros_(self.answer.weight)

    def forward(self, h: Tensor, told: Tensor) -> Tensor:
        b, c, t = h.shape
        q, k, v = self.ask(self.norm(h)).reshape(b, 3, _HEADS, c // _HEADS, t).transpose(3, 4).unbind(1)
        weights = (q @ k.transpose(2, 3) / math.sqrt(c // _HEADS)).softmax(-1)
        return h + self.answer((weights @ v).transpose(2, 3).reshape(b, c, t))


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(_GROUPS, width)
