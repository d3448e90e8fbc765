"""Contrastive training of an image tower to a text encoder that stays as it is (Zhai et al. 2022, "LiT")."""

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sextant.families.descent import Descent
from sextant.families.transformer.tower_networks import Tower, contrast

_FIRST_SCALE, _MOST_SCALE = 20.0, 100.0


class TowerTraining:
    """AdamW on the contrast; the temperature is learnt, and the learning rate falls along a half cosine."""

    def __init__(self, tower: Tower, rate: float = 1e-3) -> None:
        self.tower = tower
        self.temperature = _Temperature()
        parameters = [*tower.parameters(), *self.temperature.parameters()]
        self._descent = Descent(parameters, rate, betas=(0.9, 0.98), weight_decay=0.01)

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        return {"tower": self.tower, "temperature": self.temperature}

    @property
    def optimisers(self) -> Mapping[str, Any]:
        return {"adam": self._descent.adam}

    def step(self, batch: tuple[Tensor, ...], progress: float) -> Mapping[str, Tensor]:
        """`batch` is (picture uint8[b, c, s, s], its caption's unit vector [b, d])."""
        picture, text = batch[0].float() / 255, F.normalize(batch[1].float(), dim=1)
        with torch.autocast("cpu", torch.bfloat16):
            seen = self.tower(picture)
        seen = seen.float()
        loss = contrast(seen, text, self.temperature())
        self._descent.step(loss, progress)
        found = (seen.detach() @ text.T).argmax(1) == torch.arange(len(text))
        return {"loss": loss.detach(), "recall": found.float().mean(), "scale": self.temperature().detach()}


class _Temperature(nn.Module):
    """How sharply cosines are told apart; bounded, as CLIP's is."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(_FIRST_SCALE)))

    def forward(self) -> Tensor:
        return self.log_scale.exp().clamp(max=_MOST_SCALE)
