"""Maximum likelihood, pixel by pixel given those before (van den Oord et al. 2016, eq. 1)."""

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sextant.families.autoregressive.pixel_networks import PixelCnn
from sextant.families.exponential_average import ExponentialAverage

_DECAY = 0.999
_CLIP = 1.0


class PixelCnnTraining:
    """Adam on the cross-entropy of every pixel's level; the learning rate falls along a half cosine."""

    def __init__(self, network: PixelCnn, *, rate: float) -> None:
        self.network, self._rate = network, rate
        self.average = ExponentialAverage(network, _DECAY)
        self._adam = torch.optim.Adam(network.parameters(), rate)

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        return {"network": self.network, "average": self.average.module}

    @property
    def optimisers(self) -> Mapping[str, Any]:
        return {"adam": self._adam}

    def step(self, batch: tuple[Tensor, ...], progress: float) -> Mapping[str, Tensor]:
        """`batch` is (picture uint8[b, 1, h, w], label int64[b])."""
        level, label = batch
        for group in self._adam.param_groups:
            group["lr"] = self._rate * min(1.0, progress / 0.02) * 0.5 * (1 + math.cos(math.pi * progress))
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.network(level, label)
        loss = F.cross_entropy(logits.float(), level[:, 0].long())
        self._adam.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP)
        self._adam.step()
        self.average.update(self.network, progress)
        return {"bits_per_dimension": loss.detach() / math.log(2)}
