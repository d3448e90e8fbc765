"""The U-Net that denoises pictures (Ho et al. 2020, appendix B; Dhariwal & Nichol 2021). Training and export only.

It works on two by two pixels at once, at half the picture's size (Hoogeboom et al. 2023, "simple diffusion", section
3.3): a quarter of the work, for pictures whose smallest detail is of that size anyway.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_PATCH = 2
_FREQUENCIES = 32
_GROUPS = 8
_HEADS = 4


class UNet(nn.Module):
    """x[b, c, h, w] in about [-1, 1] with its timestep t[b] and class label[b] -> the prediction [b, c, h, w].

    Sides are multiples of 4. Label `classes` means none, which guidance needs (Ho & Salimans 2022).
    """

    def __init__(self, channels: int, size: int, classes: int, width: int = 64, steps: int = 1000) -> None:
        super().__init__()
        self.channels, self.size, self.classes, self.steps = channels, size, classes, steps
        inner, told = channels * _PATCH**2, 4 * width
        self.time = nn.Sequential(nn.Linear(2 * _FREQUENCIES, told), nn.SiLU(), nn.Linear(told, told))
        self.label = nn.Embedding(classes + 1, told)
        self.enter = nn.Conv2d(inner, width, 3, padding=1)
        self.fine_down = nn.ModuleList([Residual(width, width, told), Residual(width, width, told)])
        self.shrink = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.coarse = nn.ModuleList(
            [
                Residual(2 * width, 2 * width, told),
                Attention(2 * width),
                Residual(2 * width, 2 * width, told),
                Attention(2 * width),
                Residual(2 * width, 2 * width, told),
            ]
        )
        self.grow = nn.Conv2d(2 * width, width, 3, padding=1)
        self.fine_up = nn.ModuleList([Residual(2 * width, width, told), Residual(2 * width, width, told)])
        self.leave = nn.Sequential(_norm(width), nn.SiLU(), nn.Conv2d(width, inner, 3, padding=1))
        nn.init.zeros_(self.leave[-1].weight)
        nn.init.zeros_(self.leave[-1].bias)

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        told = self.time(time_features(t / self.steps)) + self.label(label)
        h = self.enter(F.pixel_unshuffle(x, _PATCH))
        kept = [h]
        for block in self.fine_down:
            h = block(h, told)
            kept.append(h)
        h = self.shrink(h)
        for block in self.coarse:
            h = block(h, told)
        h = self.grow(F.interpolate(h, scale_factor=2.0, mode="nearest"))
        for block in self.fine_up:
            h = block(torch.cat([h, kept.pop()], 1), told)
        return F.pixel_shuffle(self.leave(h), _PATCH)


class Residual(nn.Module):
    """Two convolutions; what is told of time and class scales and shifts between them."""

    def __init__(self, wide_in: int, wide_out: int, told: int) -> None:
        super().__init__()
        self.first = nn.Sequential(_norm(wide_in), nn.SiLU(), nn.Conv2d(wide_in, wide_out, 3, padding=1))
        self.tell = nn.Sequential(nn.SiLU(), nn.Linear(told, 2 * wide_out))
        self.norm = _norm(wide_out)
        self.second = nn.Conv2d(wide_out, wide_out, 3, padding=1)
        self.skip = nn.Identity() if wide_in == wide_out else nn.Conv2d(wide_in, wide_out, 1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        scale, shift = self.tell(told)[:, :, None, None].chunk(2, dim=1)
        h = self.norm(self.first(x)) * (1 + scale) + shift
        return self.skip(x) + self.second(F.silu(h))


class Attention(nn.Module):
    """Every place looks at every other (Vaswani et al. 2017)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = _norm(width)
        self.ask = nn.Conv2d(width, 3 * width, 1)
        self.answer = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.answer.weight)
        nn.init.zeros_(self.answer.bias)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        b, c, h, w = x.shape
        q, k, v = self.ask(self.norm(x)).reshape(b, 3, _HEADS, c // _HEADS, h * w).transpose(3, 4).unbind(1)
        weights = (q @ k.transpose(2, 3) / math.sqrt(c // _HEADS)).softmax(-1)
        return x + self.answer((weights @ v).transpose(2, 3).reshape(b, c, h, w))


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(_GROUPS, width)


def time_features(at: Tensor) -> Tensor:
    """at[b] in [0, 1] -> [b, 64]: sines and cosines, of a quarter of a turn to a thousand over the whole range."""
    turns = torch.exp(torch.linspace(0, math.log(1000), _FREQUENCIES))
    angles = at[:, None] * turns * (math.pi / 2)
    return torch.cat([angles.sin(), angles.cos()], 1)
