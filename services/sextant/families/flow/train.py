"""Maximum likelihood: the flow is made to find the data likely (Dinh et al. 2017, eq. 2).

Pixels and other whole numbers are dequantised: noise u, uniform in the unit cell, is added anew at every step
(Theis et al. 2016, section 3.1), so that the density's mean over a cell is the probability of the whole number.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sextant.families.flow.networks import Glow, RealNvp

_CLIP = 50.0


class FlowTraining:
    """Adam on the negative log-likelihood; the learning rate falls along a half cosine.

    `noise` turns a batch into what the flow sees: dequantisation, or nothing.
    """

    def __init__(self, flow: Glow | RealNvp, *, rate: float, quantised: bool, centred: bool = False) -> None:
        self.flow, self._rate, self._quantised = flow, rate, quantised
        self._from = -0.5 if centred else 0.0
        self._adam = torch.optim.Adam(flow.parameters(), rate)

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        return {"flow": self.flow}

    @property
    def optimisers(self) -> Mapping[str, Any]:
        return {"adam": self._adam}

    def step(self, batch: tuple[Tensor, ...], progress: float) -> Mapping[str, Tensor]:
        """`batch` is (x[b, ...],) in data units."""
        x = batch[0].float()
        if self._quantised:
            x = x + self._from + torch.rand_like(x)
        for group in self._adam.param_groups:
            warm = min(1.0, progress / 0.02)
            group["lr"] = self._rate * warm * 0.5 * (1 + math.cos(math.pi * progress))
        z, log_det = self.flow(x)
        nats = log_det - 0.5 * (z.square() + math.log(2 * math.pi)).sum(1)
        loss = -nats.mean() / z.shape[1]
        self._adam.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.flow.parameters(), _CLIP)
        self._adam.step()
        return {"bits_per_dimension": loss.detach() / math.log(2)}
