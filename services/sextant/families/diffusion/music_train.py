"""Learning to denoise piano rolls: cross-entropy of what each voice sounds (Dieleman et al. 2022, eq. 9)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sextant.families.descent import Descent
from sextant.families.diffusion.music_networks import RollUNet
from sextant.families.diffusion.piano_roll import AGAIN
from sextant.families.diffusion.schedule import Schedule, alpha_bars
from sextant.families.exponential_average import ExponentialAverage

_DECAY = 0.999
_WITHOUT_CLASS = 0.1
_FREE = 0.4  # of the pieces: nothing is known beforehand


class RollTraining:
    """AdamW; in most pieces some notes are known beforehand: of some voices, up to a bar, or both."""

    def __init__(self, network: RollUNet, *, rate: float, schedule: Schedule) -> None:
        self.network, self.schedule = network, schedule
        self.average = ExponentialAverage(network, _DECAY)
        self._bars = torch.from_numpy(alpha_bars(schedule, network.steps).astype(np.float32))
        self._descent = Descent(network.parameters(), rate, betas=(0.9, 0.99), weight_decay=0.01)

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        return {"network": self.network, "average": self.average.module}

    @property
    def optimisers(self) -> Mapping[str, Any]:
        return {"adam": self._descent.adam}

    def step(self, batch: tuple[Tensor, ...], progress: float) -> Mapping[str, Tensor]:
        """`batch` is (row uint8[b, 4, t], again bool[b, 4, t], label int64[b]); a row is as in `piano_roll`."""
        row, again, label = batch
        x0 = torch.cat([F.one_hot(row.long(), AGAIN).transpose(2, 3), again[:, :, None].long()], 2).float() * 2 - 1
        label = torch.where(torch.rand(label.shape) < _WITHOUT_CLASS, self.network.classes, label)
        # Notes are decided where there is much noise; with little of it they can be read off.
        t = (self.network.steps * torch.rand(x0.shape[0]).sqrt()).long()
        alpha = self._bars[t].sqrt()[:, None, None, None]
        sigma = (1 - self._bars[t]).sqrt()[:, None, None, None]
        known = self._known(x0)
        x = torch.where(known > 0, x0, alpha * x0 + sigma * torch.randn(x0.shape))
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.network.logits(x, t.float(), label, known)
        logits, unknown = logits.float(), 1 - known[:, :, 0]
        sounding = F.cross_entropy(logits[:, :, :AGAIN].transpose(1, 2), row.long(), reduction="none")
        onset = F.binary_cross_entropy_with_logits(logits[:, :, AGAIN], again.float(), reduction="none")
        loss = ((sounding + onset) * unknown).sum() / unknown.sum()
        self._descent.step(loss, progress)
        self.average.update(self.network, progress)
        return {"loss": loss.detach()}

    def _known(self, x0: Tensor) -> Tensor:
        """[b, 4, 1, t]: 1 where a piece's notes are told."""
        b, voices, _, length = x0.shape
        by_voice = (torch.rand(b, voices, 1, 1) < 0.35).float()
        until = torch.randint(length // 4, (b, 1, 1, 1)) * 4 * (torch.rand(b, 1, 1, 1) < 0.5)
        told = torch.maximum(by_voice, (torch.arange(length) < until).float())
        told = told * (torch.rand(b, 1, 1, 1) >= _FREE)
        return told * (told.amin((1, 2, 3), keepdim=True) == 0)  # never all of it
