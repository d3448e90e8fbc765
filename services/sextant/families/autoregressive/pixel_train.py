"""Maximum likelihood, pixel by pixel given those before (van den Oord et al. 2016, eq. 1)."""

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sextant.families.autoregressive.pixel_networks import PixelCnn
from sextant.families.descent import Descent
from sextant.families.exponential_average import ExponentialAverage

_DECAY = 0.999


class PixelCnnTraining:
    """Adam on the cross-entropy of every pixel's level; the learning rate falls along a half cosine."""

    def __init__(self, network: PixelCnn, *, rate: float) -> None:
        self.network = network
        self.average = ExponentialAverage(network, _DECAY)
        self._descent = Descent(network.parameters(), rate)

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        return {"network": self.network, "average": self.average.module}

    @property
    def optimisers(self) -> Mapping[str, Any]:
        return {"adam": self._descent.adam}

    def step(self, batch: tuple[Tensor, ...], progress: float) -> Mapping[str, Tensor]:
        """`batch` is (picture uint8[b, 1, h, w], label int64[b])."""
        level, label = batch
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.network(level, label)
        loss = F.cross_entropy(logits.float(), level[:, 0].long())
        self._descent.step(loss, progress)
        self.average.update(self.network, progress)
        return {"bits_per_dimension": loss.detach() / math.log(2)}
