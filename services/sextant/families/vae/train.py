"""The evidence lower bound and how it is climbed (Kingma & Welling 2014, eq. 3 and 10).

ELBO = E_q[log p(x | z)] - beta KL(q(z | x) || N(0, I)), with z = mean + sigma * noise (the reparameterisation) and
KL = 1/2 sum(mean^2 + sigma^2 - log sigma^2 - 1). beta = 1 is the bound itself; beta > 1 trades reconstruction for
axes that vary independently (Higgins et al. 2017).
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sextant.families.descent import Descent
from sextant.families.vae.networks import Vae, discretised_logistic

_WARM_UP = 0.05  # of the run, in which beta rises from 0: else the code may stay empty
_CLIP = 200.0


class VaeTraining:
    """Adam on the negative ELBO per picture; the learning rate falls along a half cosine."""

    def __init__(self, vae: Vae, beta: float = 1.0, rate: float = 1e-3) -> None:
        self.vae, self._beta = vae, beta
        self._descent = Descent(vae.parameters(), rate, clip=_CLIP, warm_up=0)

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        return {"vae": self.vae}

    @property
    def optimisers(self) -> Mapping[str, Any]:
        return {"adam": self._descent.adam}

    def step(self, batch: tuple[Tensor, ...], progress: float) -> Mapping[str, Tensor]:
        """`batch` is (picture uint8[b, c, h, w],) or with a label int64[b]."""
        picture = batch[0].float() / 255
        label = batch[1] if len(batch) > 1 else None
        with torch.autocast("cpu", torch.bfloat16):
            mean, log_variance = self.vae.encoder(*_given(picture, label))
            mean, log_variance = mean.float(), log_variance.float()
            z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
            made = self.vae.decoder(*_given(z, label)).float()
        fit = discretised_logistic(picture, made, self.vae.log_scale.exp())
        kl = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(1)
        beta = self._beta * min(1.0, progress / _WARM_UP)
        loss = (beta * kl - fit).mean()
        self._descent.step(loss, progress)
        return {
            "elbo": (fit - kl).mean().detach(),
            "kl": kl.mean().detach(),
            "scale": self.vae.log_scale.exp().detach(),
        }


def _given(first: Tensor, label: Tensor | None) -> tuple[Tensor, ...]:
    return (first,) if label is None else (first, label)
