"""Networks that denoise under conditions: a U-Net of pictures and latents, and one of vectors. Training and export.

Sequences are attended to (Rombach et al. 2022, section 3.3), behind a token of the network's own that is always there:
so a sequence of which nothing is left is a condition like any other, and stands for none. Vectors, and the mean of a
sequence, are told with the time.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sextant.families.diffusion.networks import Attention, Residual, time_features

_FEATURES = 64
_HEADS = 4
_HIDDEN = -1e4  # to a softmax the same as minus infinity, without the NaN of 0 * inf


class Told(NamedTuple):
    """What a network is conditioned on: `context` is (tokens, width) of a sequence, `vector` a width; 0 for none.

    `given` says that a picture is enlarged: the network sees it beside x.
    """

    context: tuple[int, int] = (0, 0)
    vector: int = 0
    given: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs of the network after x and t."""
        sequence = ("context", "mask") if self.context[0] else ()
        return (*sequence, *(("vector",) if self.vector else ()), *(("given",) if self.given else ()))


class ConditionedUNet(nn.Module):
    """x[b, c, h, w], t[b], then what `told` names, each [b, ...] -> the prediction [b, c, h, w].

    It works on `patch` x `patch` places at once; sides are multiples of 2 * `patch`.
    """

    def __init__(
        self, channels: int, size: int, told: Told, *, width: int = 96, patch: int = 1, steps: int = 1000
    ) -> None:
        super().__init__()
        self.channels, self.size, self.told, self.patch, self.steps = channels, size, told, patch, steps
        self.shape = (channels, size, size)
        inner, wide = channels * patch**2, 4 * width
        self.tell = _Telling(told, wide)
        self.enter = nn.Conv2d(inner * (2 if told.given else 1), width, 3, padding=1)
        self.fine_down = nn.ModuleList([Residual(width, width, wide), Residual(width, width, wide)])
        self.shrink = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.coarse = nn.ModuleList([_CoarseBlock(2 * width, wide, told.context[1]) for _ in range(3)])
        self.grow = nn.Conv2d(2 * width, width, 3, padding=1)
        self.fine_up = nn.ModuleList([Residual(2 * width, width, wide), Residual(2 * width, width, wide)])
        self.leave = nn.Sequential(nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, inner, 3, padding=1))
        nn.init.zeros_(self.leave[-1].weight)
        nn.init.zeros_(self.leave[-1].bias)

    def forward(
        self,
        x: Tensor,
        t: Tensor,
        first: Tensor | None = None,
        second: Tensor | None = None,
        third: Tensor | None = None,
        fourth: Tensor | None = None,
    ) -> Tensor:
        given = dict(zip(self.told.names, (first, second, third, fourth), strict=False))
        told = self.tell(t / self.steps, given)
        context, mask = given.get("context"), given.get("mask")
        if self.told.given:
            x = torch.cat([x, given["given"]], 1)
        h = self.enter(F.pixel_unshuffle(x, self.patch) if self.patch > 1 else x)
        kept = [h]
        for block in self.fine_down:
            h = block(h, told)
            kept.append(h)
        h = self.shrink(h)
        for block in self.coarse:
            h = block(h, told, context, mask)
        h = self.grow(F.interpolate(h, scale_factor=2.0, mode="nearest"))
        for block in self.fine_up:
            h = block(torch.cat([h, kept.pop()], 1), told)
        out = self.leave(h)
        return F.pixel_shuffle(out, self.patch) if self.patch > 1 else out


class VectorDenoiser(nn.Module):
    """x[b, d], t[b], then what `told` names -> the prediction [b, d]: a diffusion prior (Ramesh et al. 2022, 2.2)."""

    def __init__(self, size: int, told: Told, *, width: int = 512, blocks: int = 4, steps: int = 1000) -> None:
        super().__init__()
        self.size, self.told, self.steps, self.shape = size, told, steps, (size,)
        self.tell = _Telling(told, width)
        self.enter = nn.Linear(size, width)
        self.blocks = nn.ModuleList([_VectorBlock(width) for _ in range(blocks)])
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, size))
        nn.init.zeros_(self.leave[-1].weight)
        nn.init.zeros_(self.leave[-1].bias)

    def forward(
        self,
        x: Tensor,
        t: Tensor,
        first: Tensor | None = None,
        second: Tensor | None = None,
        third: Tensor | None = None,
    ) -> Tensor:
        given = dict(zip(self.told.names, (first, second, third), strict=False))
        told = self.tell(t / self.steps, given)
        h = self.enter(x)
        for block in self.blocks:
            h = block(h, told)
        return self.leave(h)


class _Telling(nn.Module):
    """Time and conditions as one vector: [b] in [0, 1] and what is given -> [b, wide]."""

    def __init__(self, told: Told, wide: int) -> None:
        super().__init__()
        self.time = nn.Sequential(nn.Linear(_FEATURES, wide), nn.SiLU(), nn.Linear(wide, wide))
        self.mean = nn.Linear(told.context[1], wide) if told.context[0] else None
        self.vector = nn.Linear(told.vector, wide) if told.vector else None

    def forward(self, at: Tensor, given: dict[str, Tensor]) -> Tensor:
        told = self.time(time_features(at))
        if self.mean is not None:
            mask = given["mask"][:, :, None]
            mean = (given["context"] * mask).sum(1) / (mask.sum(1) + 1e-6)
            told = told + self.mean(mean)
        if self.vector is not None:
            told = told + self.vector(given["vector"])
        return told


class _CoarseBlock(nn.Module):
    """A residual block, then every place looks at every other, then at the sequence."""

    def __init__(self, width: int, wide: int, context: int) -> None:
        super().__init__()
        self.residual, self.places = Residual(width, width, wide), Attention(width)
        self.words = _CrossAttention(width, context) if context else None

    def forward(self, h: Tensor, told: Tensor, context: Tensor | None, mask: Tensor | None) -> Tensor:
        h = self.places(self.residual(h, told), told)
        return h if self.words is None else self.words(h, context, mask)


class _CrossAttention(nn.Module):
    """Every place looks at the tokens that are there, and at one of the network's own."""

    def __init__(self, width: int, context: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, width)
        self.ask = nn.Conv2d(width, width, 1)
        self.offer = nn.Linear(context, 2 * width)
        self.nothing = nn.Parameter(torch.randn(1, 1, context) * 0.02)
        self.answer = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.answer.weight)
        nn.init.zeros_(self.answer.bias)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor) -> Tensor:
        b, c, h, w = x.shape
        tokens = torch.cat([self.nothing.expand(b, -1, -1), context], 1)
        shown = F.pad((1 - mask) * _HIDDEN, (1, 0))[:, None, None, :]
        q = self.ask(self.norm(x)).reshape(b, _HEADS, c // _HEADS, h * w).transpose(2, 3)
        k, v = self.offer(tokens).reshape(b, tokens.shape[1], 2, _HEADS, c // _HEADS).permute(2, 0, 3, 1, 4).unbind(0)
        weights = (q @ k.transpose(2, 3) / math.sqrt(c // _HEADS) + shown).softmax(-1)
        return x + self.answer((weights @ v).transpose(2, 3).reshape(b, c, h, w))


class _VectorBlock(nn.Module):
    """x + MLP(norm(x)), scaled and shifted by what is told."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.tell = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))
        self.inner = nn.Sequential(nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width))
        nn.init.zeros_(self.inner[-1].weight)
        nn.init.zeros_(self.inner[-1].bias)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        scale, shift = self.tell(told).chunk(2, dim=1)
        return x + self.inner(self.norm(x) * (1 + scale) + shift)
