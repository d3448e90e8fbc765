"""Learning which code comes next: cross-entropy, a tenth of the batch without its words (Ho & Salimans 2022)."""

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sextant.families.exponential_average import ExponentialAverage
from sextant.families.transformer.codes_networks import CodeTransformer

_CLIP = 1.0
_WARM_UP = 0.02
_UNTOLD = 0.1
_AVERAGE_DECAY = 0.998


class CodeTraining:
    """AdamW on nats a code; the learning rate falls along a half cosine. `average` is what is published."""

    def __init__(self, network: CodeTransformer, rate: float = 1e-3) -> None:
        self.network, self._rate = network, rate
        self.average = ExponentialAverage(network, _AVERAGE_DECAY)
        self._adam = torch.optim.AdamW(network.parameters(), rate, betas=(0.9, 0.98), weight_decay=0.01)

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        return {"network": self.network, "average": self.average.module}

    @property
    def optimisers(self) -> Mapping[str, Any]:
        return {"adam": self._adam}

    def step(self, batch: tuple[Tensor, ...], progress: float) -> Mapping[str, Tensor]:
        """`batch` is (codes uint8[b, n]) or (codes, states[b, t, d], lengths[b]) where it is told words."""
        codes, *told = batch
        codes = codes.long()
        for group in self._adam.param_groups:
            group["lr"] = self._rate * min(1.0, progress / _WARM_UP) * 0.5 * (1 + math.cos(math.pi * progress))
        if told:
            states, lengths = told
            longest = int(lengths.max())
            told = [states[:, :longest].float(), torch.where(torch.rand(len(codes)) < _UNTOLD, 0, lengths)]
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.network(codes, *told)
        nats = F.cross_entropy(logits.float().flatten(0, 1), codes.flatten())
        self._adam.zero_grad(set_to_none=True)
        nats.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP)
        self._adam.step()
        self.average.update(self.network, progress)
        return {"nats": nats.detach()}
