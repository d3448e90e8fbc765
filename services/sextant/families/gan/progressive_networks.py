"""A generator and a discriminator that grow together from 4 x 4 pixels (Karras et al. 2018).

`level` 0 is 4 x 4 and each further one twice that; `blend` in (0, 1] fades the newest level in.
"""

import itertools
import math
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from sextant.families.gan.equalised import (
    SLOPE,
    EqualisedConv,
    EqualisedLinear,
    doubled,
    pixel_norm,
    with_deviation,
)


class ProganGenerator(nn.Module):
    """z[b, latent_dim] -> picture[b, 3, 4 * 2**level, ...] in about [-1, 1]; `widths` are channels by level."""

    def __init__(self, latent_dim: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.latent_dim, self.levels = latent_dim, len(widths)
        self.start = EqualisedLinear(latent_dim, widths[0] * 16, gain=math.sqrt(2) / 4)
        self.first = EqualisedConv(widths[0], widths[0], 3)
        self.grow1 = nn.ModuleList(EqualisedConv(a, b, 3) for a, b in itertools.pairwise(widths))
        self.grow2 = nn.ModuleList(EqualisedConv(b, b, 3) for b in widths[1:])
        self.to_rgb = nn.ModuleList(EqualisedConv(width, 3, 1, gain=1.0) for width in widths)

    def forward(self, z: Tensor, level: int, blend: float = 1.0) -> Tensor:
        x = _active(self.start(pixel_norm(z)).unflatten(1, (-1, 4, 4)))
        x = _active(self.first(x))
        before = x
        for grow1, grow2 in zip(self.grow1[:level], self.grow2[:level], strict=True):
            before = x
            x = _active(grow2(_active(grow1(doubled(x)))))
        picture: Tensor = self.to_rgb[level](x)
        if blend < 1:
            older = doubled(self.to_rgb[level - 1](before))
            picture = older + blend * (picture - older)
        return picture


class ProganDiscriminator(nn.Module):
    """picture -> critic value[b]; the mirror of the generator."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.from_rgb = nn.ModuleList(EqualisedConv(3, width, 1) for width in widths)
        self.shrink1 = nn.ModuleList(EqualisedConv(b, b, 3) for b in widths[1:])
        self.shrink2 = nn.ModuleList(EqualisedConv(b, a, 3) for a, b in itertools.pairwise(widths))
        self.last = EqualisedConv(widths[0] + 1, widths[0], 3)
        self.hidden = EqualisedLinear(widths[0] * 16, widths[0], gain=math.sqrt(2))
        self.out = EqualisedLinear(widths[0], 1)

    def forward(self, picture: Tensor, level: int, blend: float = 1.0) -> Tensor:
        x = F.leaky_relu(self.from_rgb[level](picture), SLOPE)
        for depth in range(level, 0, -1):
            x = F.leaky_relu(self.shrink1[depth - 1](x), SLOPE)
            x = F.avg_pool2d(F.leaky_relu(self.shrink2[depth - 1](x), SLOPE), 2)
            if depth == level and blend < 1:
                older = F.leaky_relu(self.from_rgb[level - 1](F.avg_pool2d(picture, 2)), SLOPE)
                x = older + blend * (x - older)
        x = F.leaky_relu(self.last(with_deviation(x)), SLOPE)
        value: Tensor = self.out(F.leaky_relu(self.hidden(x.flatten(1)), SLOPE)).squeeze(1)
        return value


def _active(x: Tensor) -> Tensor:
    return pixel_norm(F.leaky_relu(x, SLOPE))
