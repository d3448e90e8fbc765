"""Layers whose weights are scaled while running, not at the start: all learn at one speed.

Karras et al. 2018, "Progressive growing of GANs", section 4.1; minibatch deviation, section 3; pixel norm, 4.2.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2  # of LeakyReLU below 0
# Under the square roots. Less than this and the exporter takes it for 0 and leaves it out: 0 / 0 at z = 0 then.
EPSILON = 1e-6


class EqualisedLinear(nn.Module):
    """A linear layer; `rate` slows the learning of its weights, as StyleGAN does in the mapping network."""

    def __init__(self, inputs: int, outputs: int, *, bias: float = 0.0, gain: float = 1.0, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self._scale, self._rate = gain * rate / math.sqrt(inputs), rate

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self._scale, self.bias * self._rate)

    @torch.no_grad()
    def bake(self) -> None:
        """Puts the scale into the weights, for export."""
        self.weight.mul_(self._scale)
        self.bias.mul_(self._rate)
        self._scale = self._rate = 1.0


class EqualisedConv(nn.Module):
    """A convolution that keeps the size."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, gain: float = math.sqrt(2)) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self._scale, self._padding = gain / math.sqrt(inputs * kernel * kernel), kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self._scale, self.bias, padding=self._padding)

    @torch.no_grad()
    def bake(self) -> None:
        """Puts the scale into the weights, for export."""
        self.weight.mul_(self._scale)
        self._scale = 1.0


def pixel_norm(x: Tensor) -> Tensor:
    """Unit mean square over the channels at every place."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + EPSILON)


def with_deviation(x: Tensor) -> Tensor:
    """One more channel: the mean standard deviation over the batch, by which a collapse is seen."""
    deviation = torch.sqrt(x.float().var(0, unbiased=False) + 1e-8).mean()
    return torch.cat([x, deviation.to(x.dtype).expand(len(x), 1, *x.shape[2:])], 1)


def doubled(x: Tensor) -> Tensor:
    """Twice the height and width, each pixel repeated."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")
