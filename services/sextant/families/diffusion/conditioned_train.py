"""The denoising loss under conditions, some of which are left out, so that guidance has something to lead away from."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sextant.families.descent import Descent
from sextant.families.diffusion.conditioned_networks import ConditionedUNet, VectorDenoiser
from sextant.families.diffusion.prediction import Prediction
from sextant.families.diffusion.schedule import Schedule, alpha_bars
from sextant.families.exponential_average import ExponentialAverage

# A batch as what is denoised, and what the network is told of it by the names of its inputs.
Reading = Callable[[tuple[Tensor, ...]], tuple[Tensor, Mapping[str, Tensor]]]

_DECAY = 0.9995
_UNTOLD = 0.1  # of the batch (Ho & Salimans 2022, algorithm 1)


class ConditionedTraining:
    """AdamW on the squared error of v or epsilon; the learning rate falls along a half cosine.

    `decay` is that of the average, whose memory has to be far shorter than the run.
    """

    def __init__(
        self,
        network: ConditionedUNet | VectorDenoiser,
        read: Reading,
        *,
        rate: float,
        prediction: Prediction = Prediction.V,
        schedule: Schedule = Schedule.COSINE,
        decay: float = _DECAY,
    ) -> None:
        self.network, self.prediction, self.schedule = network, prediction, schedule
        self.average = ExponentialAverage(network, decay)
        self._read = read
        self._bars = torch.from_numpy(alpha_bars(schedule, network.steps).astype(np.float32))
        self._descent = Descent(network.parameters(), rate, betas=(0.9, 0.99))

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        return {"network": self.network, "average": self.average.module}

    @property
    def optimisers(self) -> Mapping[str, Any]:
        return {"adam": self._descent.adam}

    def step(self, batch: tuple[Tensor, ...], progress: float) -> Mapping[str, Tensor]:
        """`batch` is whatever the reading reads."""
        x0, told = self._read(batch)
        noise = torch.randn_like(x0)
        t = torch.randint(self.network.steps, (len(x0),))
        ones = (1,) * (x0.dim() - 1)
        alpha = self._bars[t].sqrt().reshape(-1, *ones)
        sigma = (1 - self._bars[t]).sqrt().reshape(-1, *ones)
        target = noise if self.prediction is Prediction.EPSILON else alpha * noise - sigma * x0
        given = [_partly(name, told[name]) for name in self.network.told.names]
        with torch.autocast("cpu", torch.bfloat16):
            said = self.network(alpha * x0 + sigma * noise, t.float(), *given)
        loss = F.mse_loss(said.float(), target)
        self._descent.step(loss, progress)
        self.average.update(self.network, progress)
        return {"loss": loss.detach()}


def _partly(name: str, told: Tensor) -> Tensor:
    """A condition, left out here and there: no token of a sequence, a vector of zeros. What is enlarged stays."""
    if name not in ("mask", "vector"):
        return told
    kept = (torch.rand(len(told)) >= _UNTOLD).to(told.dtype)
    return told * kept[:, None]
