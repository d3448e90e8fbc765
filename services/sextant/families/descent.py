"""How most families descend: AdamW, gradients clipped, a learning rate that warms up and falls along a half cosine.

Loshchilov & Hutter 2019, "Decoupled weight decay regularization"; without decay it is Adam. Training only.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Descent:
    """Steps down a loss. `rate` is reached after the share `warm_up` of the run; `clip` bounds the gradients' norm."""

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        rate: float,
        *,
        clip: float = 1.0,
        warm_up: float = 0.02,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
    ) -> None:
        self._parameters = list(parameters)
        self._rate, self._clip, self._warm_up = rate, clip, warm_up
        self.adam = torch.optim.AdamW(self._parameters, rate, betas=betas, weight_decay=weight_decay)

    def step(self, loss: Tensor, progress: float) -> None:
        """One step; `progress` runs from 0 to 1."""
        warm = min(1.0, progress / self._warm_up) if self._warm_up else 1.0
        for group in self.adam.param_groups:
            group["lr"] = self._rate * warm * 0.5 * (1 + math.cos(math.pi * progress))
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters, self._clip)
        self.adam.step()
