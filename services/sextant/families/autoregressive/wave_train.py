"""Maximum likelihood, sample by sample given those before (van den Oord et al. 2016, eq. 1)."""

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sextant.families.autoregressive.wave_networks import WaveNet
from sextant.families.descent import Descent
from sextant.families.exponential_average import ExponentialAverage

_DECAY = 0.998


class WaveNetTraining:
    """Adam on the cross-entropy of every sample's level; the learning rate falls along a half cosine."""

    def __init__(self, network: WaveNet, *, rate: float) -> None:
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
        """`batch` is (level uint8[b, n], label int64[b], voice int64[b])."""
        level, label, voice = batch[0].long(), batch[1], batch[2]
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.network(level, label, voice)
        loss = F.cross_entropy(logits.float().flatten(0, 1), level.flatten())
        self._descent.step(loss, progress)
        self.average.update(self.network, progress)
        return {"bits_per_dimension": loss.detach() / math.log(2)}
