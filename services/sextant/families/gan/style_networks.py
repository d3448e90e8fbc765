"""StyleGAN: a mapping network z -> w, and a synthesis network whose every layer w steers.

Karras et al. 2019 (mapping, styles, noise, truncation, mixing), with modulation by weight demodulation and summed
outputs of all sizes as in Karras et al. 2020. The convolution is shared by the batch: its input is scaled by the
style and its output by the demodulation, which is the same as modulating its weights and exports as plain ONNX.
"""

import itertools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sextant.families.gan.equalised import (
    EPSILON,
    SLOPE,
    EqualisedConv,
    EqualisedLinear,
    doubled,
    pixel_norm,
    with_deviation,
)

_MAPPING_RATE = 0.01


class Mapping(nn.Module):
    """z[b, latent_dim] -> w[b, style_dim]."""

    def __init__(self, latent_dim: int, style_dim: int, layers: int) -> None:
        super().__init__()
        sizes = [latent_dim] + [style_dim] * layers
        self.layers = nn.ModuleList(
            EqualisedLinear(a, b, gain=math.sqrt(2), rate=_MAPPING_RATE) for a, b in itertools.pairwise(sizes)
        )

    def forward(self, z: Tensor) -> Tensor:
        w = pixel_norm(z)
        for layer in self.layers:
            w = F.leaky_relu(layer(w), SLOPE)
        return w


class StyledConv(nn.Module):
    """x[b, i, h, w], steered by w[b, style_dim] and stirred by noise[b, 1, h, w] -> [b, o, h, w]."""

    def __init__(self, inputs: int, outputs: int, style_dim: int) -> None:
        super().__init__()
        self.style = EqualisedLinear(style_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self._scale = 1 / math.sqrt(inputs * 9)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        style = self.style(w)
        weight = self.weight * self._scale
        # Demodulation: 1 / sqrt(sum over inputs and kernel of (style * weight)^2), eq. 3 of the 2020 paper.
        demodulation = torch.rsqrt(style.square() @ weight.square().sum((2, 3)).T + EPSILON)
        x = F.conv2d(x * style[:, :, None, None], weight, padding=1) * demodulation[:, :, None, None]
        x = x + self.noise_strength * noise + self.bias[:, None, None]
        return F.leaky_relu(x, SLOPE) * math.sqrt(2)

    @torch.no_grad()
    def bake(self) -> None:
        """Puts the scale into the weights, for export."""
        self.weight.mul_(self._scale)
        self._scale = 1.0


class ToRgb(nn.Module):
    """x[b, i, h, w], steered by w -> [b, 3, h, w]."""

    def __init__(self, inputs: int, style_dim: int) -> None:
        super().__init__()
        self.style = EqualisedLinear(style_dim, inputs, bias=1.0)
        self.conv = EqualisedConv(inputs, 3, 1, gain=1.0)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        rgb: Tensor = self.conv(x * self.style(w)[:, :, None, None])
        return rgb


class Synthesis(nn.Module):
    """(w[b, layers, style_dim], noise[b, noise_dim]) -> picture[b, 3, size, size] in about [-1, 1].

    `widths` are the channels by level, from 4 x 4 up. Layer i of `w` steers the i-th convolution; a level's output
    shares its w with the convolution after it.
    """

    def __init__(self, style_dim: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.randn(1, widths[0], 4, 4))
        pairs = list(itertools.pairwise(widths))
        convs = [StyledConv(widths[0], widths[0], style_dim)]
        for a, b in pairs:
            convs += [StyledConv(a, b, style_dim), StyledConv(b, b, style_dim)]
        self.convs = nn.ModuleList(convs)
        self.to_rgb = nn.ModuleList(ToRgb(width, style_dim) for width in widths)
        self.sizes = [4] + [4 * 2 ** (level + 1) for level in range(len(pairs)) for _ in range(2)]
        self.noise_dim = sum(size * size for size in self.sizes)
        self.layers = len(convs) + 1

    def forward(self, w: Tensor, noise: Tensor) -> Tensor:
        noises = [
            part.unflatten(1, (1, size, size))
            for part, size in zip(noise.split([size * size for size in self.sizes], 1), self.sizes, strict=True)
        ]
        x = self.convs[0](self.start.expand(w.shape[0], -1, -1, -1), w[:, 0], noises[0])
        rgb = self.to_rgb[0](x, w[:, 1])
        for index in range(1, len(self.convs), 2):
            x = self.convs[index](doubled(x), w[:, index], noises[index])
            x = self.convs[index + 1](x, w[:, index + 1], noises[index + 1])
            rgb = doubled(rgb) + self.to_rgb[(index + 1) // 2](x, w[:, index + 2])
        picture: Tensor = rgb
        return picture


class StyleGenerator(nn.Module):
    """Both networks, and the running mean of w that truncation pulls towards."""

    def __init__(self, latent_dim: int, style_dim: int, mapping_layers: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.mapping = Mapping(latent_dim, style_dim, mapping_layers)
        self.synthesis = Synthesis(style_dim, widths)
        self.register_buffer("mean_style", torch.zeros(style_dim))

    def forward(self, z: Tensor, mixed: Tensor | None = None, layer: int = 0) -> Tensor:
        """Pictures of z; from `layer` on in the style of `mixed`."""
        w = self.mapping(z)
        if self.training:
            self.mean_style.lerp_(w.detach().float().mean(0), 0.01)
        styles = w[:, None].expand(-1, self.synthesis.layers, -1)
        if mixed is not None:
            later = torch.arange(self.synthesis.layers)[None, :, None] >= layer
            styles = torch.where(later, self.mapping(mixed)[:, None], styles)
        picture: Tensor = self.synthesis(styles, torch.randn(len(z), self.synthesis.noise_dim))
        return picture


class StyleDiscriminator(nn.Module):
    """picture[b, 3, size, size] -> logit[b]; residual, with minibatch deviation."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.from_rgb = EqualisedConv(3, widths[-1], 1)
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.conv1 = nn.ModuleList(EqualisedConv(a, a, 3) for a, _ in pairs)
        self.conv2 = nn.ModuleList(EqualisedConv(a, b, 3) for a, b in pairs)
        self.skip = nn.ModuleList(EqualisedConv(a, b, 1, gain=1.0) for a, b in pairs)
        self.last = EqualisedConv(widths[0] + 1, widths[0], 3)
        self.hidden = EqualisedLinear(widths[0] * 16, widths[0], gain=math.sqrt(2))
        self.out = EqualisedLinear(widths[0], 1)

    def forward(self, picture: Tensor) -> Tensor:
        x = F.leaky_relu(self.from_rgb(picture), SLOPE)
        for conv1, conv2, skip in zip(self.conv1, self.conv2, self.skip, strict=True):
            pooled = F.avg_pool2d(x, 2)
            x = F.leaky_relu(conv2(F.avg_pool2d(F.leaky_relu(conv1(x), SLOPE), 2)), SLOPE)
            x = (x + skip(pooled)) / math.sqrt(2)
        x = F.leaky_relu(self.last(with_deviation(x)), SLOPE)
        logit: Tensor = self.out(F.leaky_relu(self.hidden(x.flatten(1)), SLOPE)).squeeze(1)
        return logit
