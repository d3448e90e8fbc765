"""Maximum likelihood: the flow is made to find the data likely (Dinh et al. 2017, eq. 2).

Pixels and other whole numbers are dequantised: noise u, uniform in the unit cell, is added anew at every step
(Theis et al. 2016, section 3.1), so that the density's mean over a cell is the probability of the whole number.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sextant.families.descent import Descent
from sextant.families.flow.networks import Glow, RealNvp

_CLIP = 50.0


class FlowTraining:
    """Adam on the negative log-likelihood; the learning rate falls along a half cosine.

    `noise` turns a batch into what the flow sees: dequantisation, or nothing.
    """

    def __init__(self, flow: Glow | RealNvp, *, rate: float, quantised: bool, centred: bool = False) -> None:
        self.flow, self._quantised = flow, quantised
        self._from = -0.5 if centred else 0.0
        self._descent = Descent(flow.parameters(), rate, clip=_CLIP)

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        return {"flow": self.flow}

    @property
    def optimisers(self) -> Mapping[str, Any]:
        return {"adam": self._descent.adam}

    def step(self, batch: tuple[Tensor, ...], progress: float) -> Mapping[str, Tensor]:
        """`batch` is (x[b, ...],) in data units."""
        x = batch[0].float()
        if self._quantised:
            x = x + self._from + torch.rand_like(x)
        z, log_det = self.flow(x)
        nats = log_det - 0.5 * (z.square() + math.log(2 * math.pi)).sum(1)
        loss = -nats.mean() / z.shape[1]
        self._descent.step(loss, progress)
        return {"bits_per_dimension": loss.detach() / math.log(2)}
