"""The denoising loss: noise is added to data, and the network learns to tell it (Ho et al. 2020, algorithm 1)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sextant.families.descent import Descent
from sextant.families.diffusion.networks import UNet
from sextant.families.diffusion.prediction import Prediction
from sextant.families.diffusion.schedule import Schedule, alpha_bars
from sextant.families.exponential_average import ExponentialAverage

_DECAY = 0.9995
_WITHOUT_CLASS = 0.1  # of the batch: what guidance subtracts (Ho & Salimans 2022, algorithm 1)


class DiffusionTraining:
    """AdamW on the squared error of the prediction; the learning rate falls along a half cosine."""

    def __init__(self, network: UNet, *, rate: float, prediction: Prediction, schedule: Schedule) -> None:
        self.network, self.prediction, self.schedule = network, prediction, schedule
        self.average = ExponentialAverage(network, _DECAY)
        self._bars = torch.from_numpy(alpha_bars(schedule, network.steps).astype(np.float32))
        self._descent = Descent(network.parameters(), rate, betas=(0.9, 0.99))

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        return {"network": self.network, "average": self.average.module}

    @property
    def optimisers(self) -> Mapping[str, Any]:
        return {"adam": self._descent.adam}

    def step(self, batch: tuple[Tensor, ...], progress: float) -> Mapping[str, Tensor]:
        """`batch` is (picture uint8[b, c, h, w], label int64[b])."""
        pictures, label = batch
        x0, noise = pictures.float() / 127.5 - 1, torch.randn(pictures.shape)
        label = torch.where(torch.rand(label.shape) < _WITHOUT_CLASS, self.network.classes, label)
        x, t, target = self._noised(x0, noise)
        with torch.autocast("cpu", torch.bfloat16):
            said = self.network(x, t, label)
        loss = F.mse_loss(said.float(), target)
        self._descent.step(loss, progress)
        self.average.update(self.network, progress)
        return {"loss": loss.detach()}

    def _noised(self, x0: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x_t, t in timesteps, and what the network should say of it."""
        steps = self.network.steps
        if self.prediction is Prediction.FLOW:
            s = torch.rand(x0.shape[0])
            share = s[:, None, None, None]
            return (1 - share) * x0 + share * noise, s * steps, noise - x0
        t = torch.randint(steps, (x0.shape[0],))
        alpha = self._bars[t].sqrt()[:, None, None, None]
        sigma = (1 - self._bars[t]).sqrt()[:, None, None, None]
        target = noise if self.prediction is Prediction.EPSILON else alpha * noise - sigma * x0
        return alpha * x0 + sigma * noise, t.float(), target
