"""WaveNet (van den Oord et al. 2016, "WaveNet: a generative model for raw audio"). Training and export only.

Dilated causal convolutions of kernel 2, gated, with residual and skip connections. Every layer is told the class, the
voice, and the time since the start, which keeps a short word on its way. `WaveNet` does a whole sound at once;
`WaveStep` is the same, a sample at a time, with what each layer saw `dilation` samples ago handed in.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sextant.families.autoregressive.mu_law import LEVELS, SILENCE

FRAME = 80  # samples that share what is told of the time
_FREQUENCIES = 8
_TOLD = 64


class _Layer(nn.Module):
    def __init__(self, width: int, skip: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.past = nn.Linear(width, 2 * width, bias=False)
        self.now = nn.Linear(width, 2 * width)
        self.residual = nn.Linear(width, width)
        self.skip = nn.Linear(width, skip)

    def forward(self, now: Tensor, past: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """now and past[..., w], told[..., 2 w] -> the next layer's now, and the skip."""
        value, gate = (self.now(now) + self.past(past) + told).chunk(2, dim=-1)
        found = value.tanh() * gate.sigmoid()
        return now + self.residual(found), self.skip(found)


class Told(nn.Module):
    """label[b], voice[b], frame float[b] (since the start) -> told[b, layers, 2 w]."""

    def __init__(self, classes: int, voices: int, layers: int, width: int) -> None:
        super().__init__()
        self.layers, self.width = layers, width
        self.label, self.voice = nn.Embedding(classes, _TOLD), nn.Embedding(voices, _TOLD)
        self.time = nn.Sequential(nn.Linear(2 * _FREQUENCIES, _TOLD), nn.Tanh(), nn.Linear(_TOLD, _TOLD))
        self.mix = nn.Sequential(nn.Tanh(), nn.Linear(_TOLD, 2 * width * layers))

    def forward(self, label: Tensor, voice: Tensor, frame: Tensor) -> Tensor:
        turns = 2.0 ** torch.arange(_FREQUENCIES) * (math.pi / 256)
        angles = frame[:, None] * turns
        time = self.time(torch.cat([angles.sin(), angles.cos()], 1))
        told = self.mix(self.label(label) + self.voice(voice) + time)
        return told.reshape(frame.shape[0], self.layers, 2 * self.width)


class WaveNet(nn.Module):
    """level int64[b, n], label[b], voice[b] -> logits[b, n, 256] of each sample given those before; n whole frames."""

    def __init__(
        self, classes: int, voices: int, width: int = 48, skip: int = 96, dilations: Sequence[int] = ()
    ) -> None:
        super().__init__()
        self.width = width
        self.classes, self.voices = classes, voices
        self.dilations = tuple(dilations) or tuple(2**power for power in range(9)) * 2
        self.told = Told(classes, voices, len(self.dilations), width)
        self.enter = nn.Embedding(LEVELS, width)
        self.layers = nn.ModuleList([_Layer(width, skip, dilation) for dilation in self.dilations])
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(skip, skip), nn.ReLU(), nn.Linear(skip, LEVELS))

    def forward(self, level: Tensor, label: Tensor, voice: Tensor) -> Tensor:
        b, n = level.shape
        frames = n // FRAME
        frame = torch.arange(frames, dtype=torch.float32).repeat(b)
        told = self.told(label.repeat_interleave(frames), voice.repeat_interleave(frames), frame)
        by_layer = told.reshape(b, frames, len(self.dilations), 1, -1).unbind(2)
        before = F.pad(level[:, :-1], (1, 0), value=SILENCE)
        h, skipped = self.enter(before), 0
        for layer, told_layer in zip(self.layers, by_layer, strict=True):
            past = F.pad(h, (0, 0, layer.dilation, 0))[:, :n]
            # In frames, so that what a frame is told is added to its samples without being copied for each.
            framed = (part.unflatten(1, (frames, FRAME)) for part in (h, past))
            h, skip = (part.flatten(1, 2) for part in layer(*framed, told_layer))
            skipped = skipped + skip
        return self.head(skipped)


class WaveStep(nn.Module):
    """before int64[b], past[b, layers, w], told[b, layers, 2 w] -> logits[b, 256], now[b, layers, w].

    `before` is the level of the sample before, `past` each layer's `now` of `dilation` samples ago, zeros before the
    start.
    """

    def __init__(self, network: WaveNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, before: Tensor, past: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        h, skipped, now = self.network.enter(before), 0, []
        for index, layer in enumerate(self.network.layers):
            now.append(h)
            h, skip = layer(h, past[:, index], told[:, index])
            skipped = skipped + skip
        return self.network.head(skipped), torch.stack(now, 1)
