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
    start. As few nodes as can be, for a node costs more than its arithmetic: what the layers owe to the past is one
    product for all, so are the skips, and the residual biases, which only add up, are in what comes before and after.
    """

    def __init__(self, network: WaveNet) -> None:
        super().__init__()
        layers = [layer for layer in network.layers if isinstance(layer, _Layer)]
        self.enter, self.head, self.width = network.enter, network.head, network.width
        self.of_past = _fixed(torch.stack([layer.past.weight.t() for layer in layers]))
        self.of_now = _fixed(torch.stack([layer.now.weight.t() for layer in layers]))
        self.residual = _fixed(torch.stack([layer.residual.weight.t() for layer in layers]))
        owed = torch.stack([layer.residual.bias for layer in layers]).cumsum(0).roll(1, 0)
        owed[0] = 0
        self.owed = _fixed(owed)
        biases = torch.stack([layer.now.bias for layer in layers])
        self.bias = _fixed(biases + (owed[:, None] @ self.of_now)[:, 0])
        self.skip = _fixed(torch.cat([layer.skip.weight.t() for layer in layers]))
        self.skip_bias = _fixed(torch.stack([layer.skip.bias for layer in layers]).sum(0))

    def forward(self, before: Tensor, past: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        rows = told.shape[0]
        seen = (past.transpose(0, 1) @ self.of_past).transpose(0, 1)
        known = (seen + (told + self.bias)).reshape(rows, -1)
        h, now, founds = self.enter(before), [], []
        for index, of_before in enumerate(known.split(2 * self.width, 1)):
            now.append(h)
            value, gate = torch.addmm(of_before, h, self.of_now[index]).chunk(2, dim=1)
            founds.append(value.tanh() * gate.sigmoid())
            h = torch.addmm(h, founds[-1], self.residual[index])
        skipped = torch.addmm(self.skip_bias, torch.cat(founds, 1), self.skip)
        return self.head(skipped), torch.cat(now, 1).reshape(rows, -1, self.width) + self.owed


def _fixed(weight: Tensor) -> nn.Parameter:
    return nn.Parameter(weight.detach().clone().contiguous(), requires_grad=False)
