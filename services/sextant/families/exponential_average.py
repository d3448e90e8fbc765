"""The running average of a network's weights, which makes better pictures than the weights themselves.

Yazıcı et al. 2019, "The unusual effectiveness of averaging in GAN training".
"""

import copy

import torch
from torch import nn


class ExponentialAverage:
    """`module` is a copy of `source` whose parameters follow it; buffers (running statistics) are taken over."""

    def __init__(self, source: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(source).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, source: nn.Module, progress: float) -> None:
        """After each step; in the first hundredth of the run the average is short, to forget where training began."""
        step = int(1e6 * progress)
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.module.parameters()), list(source.parameters()), 1 - decay)
        for average, buffer in zip(self.module.buffers(), source.buffers(), strict=True):
            average.copy_(buffer)
