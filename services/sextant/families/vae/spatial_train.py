"""Reconstruction with a slight pull towards a standard normal code (Rombach et al. 2022, section 3.1, "KL-reg")."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sextant.families.vae.spatial_networks import SpatialVae

_PULL = 1e-4  # of the KL a number, beside the absolute error a pixel: the code stays near unit scale, and sharp
_CLIP = 1.0
_DRIFT = 0.02  # how fast the measured deviation of the code follows it


class SpatialTraining:
    """Adam on absolute error + a little KL; the learning rate falls along a half cosine."""

    def __init__(self, vae: SpatialVae, rate: float = 1e-3) -> None:
        self.vae, self._rate = vae, rate
        self._adam = torch.optim.Adam(vae.parameters(), rate)

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        return {"vae": self.vae}

    @property
    def optimisers(self) -> Mapping[str, Any]:
        return {"adam": self._adam}

    def step(self, batch: tuple[Tensor, ...], progress: float) -> Mapping[str, Tensor]:
        """`batch` begins with pictures uint8[b, c, h, w]."""
        picture = batch[0].float() / 255
        for group in self._adam.param_groups:
            group["lr"] = self._rate * 0.5 * (1 + torch.cos(torch.tensor(torch.pi * progress)).item())
        with torch.autocast("cpu", torch.bfloat16):
            mean, log_variance = (half.float() for half in self.vae.encoder(picture))
            z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
            made = self.vae.decoder(z).float()
        error = (made - picture).abs().mean()
        kl = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).mean()
        loss = error + _PULL * kl
        self._adam.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.vae.parameters(), _CLIP)
        self._adam.step()
        self.vae.deviation.lerp_(mean.detach().std(), _DRIFT)
        return {"error": error.detach(), "kl": kl.detach(), "deviation": mean.std().detach()}
