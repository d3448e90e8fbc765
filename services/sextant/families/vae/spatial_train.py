"""Reconstruction with a slight pull towards a standard normal code (Rombach et al. 2022, section 3.1, "KL-reg")."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sextant.families.descent import Descent
from sextant.families.vae.spatial_networks import SpatialVae

_PULL = 1e-4  # of the KL a number, beside the absolute error a pixel: the code stays near unit scale, and sharp
_DRIFT = 0.02  # how fast the measured deviation of the code follows it


class SpatialTraining:
    """Adam on absolute error + a little KL; the learning rate falls along a half cosine."""

    def __init__(self, vae: SpatialVae, rate: float = 1e-3) -> None:
        self.vae = vae
        self._descent = Descent(vae.parameters(), rate, warm_up=0)

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        return {"vae": self.vae}

    @property
    def optimisers(self) -> Mapping[str, Any]:
        return {"adam": self._descent.adam}

    def step(self, batch: tuple[Tensor, ...], progress: float) -> Mapping[str, Tensor]:
        """`batch` begins with pictures uint8[b, c, h, w]."""
        picture = batch[0].float() / 255
        with torch.autocast("cpu", torch.bfloat16):
            mean, log_variance = (half.float() for half in self.vae.encoder(picture))
            z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
            made = self.vae.decoder(z).float()
        error = (made - picture).abs().mean()
        kl = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).mean()
        loss = error + _PULL * kl
        self._descent.step(loss, progress)
        self.vae.deviation.lerp_(mean.detach().std(), _DRIFT)
        return {"error": error.detach(), "kl": kl.detach(), "deviation": mean.std().detach()}
