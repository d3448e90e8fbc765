"""Gated PixelCNN (van den Oord et al. 2016, "Conditional image generation with PixelCNN decoders"), grey, 256 levels.

A vertical stack sees the rows above, a horizontal one what is left of the pixel; each layer of the second is told what
the first has found. `PixelCnn` does a whole picture at once, for training and for likelihoods. `RowStep` and
`PixelStep` are the same layers one row and one pixel at a time, with what they need of the past handed in: a picture
then costs one pass instead of one for each pixel. Training and export only.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVELS = 256
ABOVE = 3  # rows that the first layer sees
LEFT = 6  # pixels that the first layer sees
_REACH = 3  # columns to either side, in the first layer
_KEPT = 2  # columns that a horizontal layer sees besides its own
_HEAD = 128


class _Layer(nn.Module):
    """One layer of both stacks."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.vertical = nn.Conv2d(width, 2 * width, (2, 3))
        self.horizontal = nn.Conv2d(width, 2 * width, (1, 1 + _KEPT))
        self.tell = nn.Conv2d(2 * width, 2 * width, 1)
        self.mix_v = nn.Conv2d(width, width, 1)
        self.mix_h = nn.Conv2d(width, width, 1)
        self.label_v = nn.Embedding(classes, 2 * width)
        self.label_h = nn.Embedding(classes, 2 * width)

    def down(self, rows: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """rows[b, c, r + 1, w], the one above first -> the next layer's [b, c, r, w] and what `across` is told."""
        found = self.vertical(F.pad(rows, (1, 1))) + self.label_v(label)[:, :, None, None]
        return rows[:, :, 1:] + self.mix_v(_gate(found)), self.tell(found)

    def across(self, columns: Tensor, told: Tensor, label: Tensor) -> Tensor:
        """columns[b, c, r, n + 2], the two to the left first -> the next layer's [b, c, r, n]."""
        found = self.horizontal(columns) + told + self.label_h(label)[:, :, None, None]
        return columns[:, :, :, _KEPT:] + self.mix_h(_gate(found))


class PixelCnn(nn.Module):
    """level[b, 1, h, w] in 0 ... 255 and label int64[b] -> logits[b, 256, h, w] of each pixel given those before it."""

    def __init__(self, size: int, classes: int, width: int = 48, layers: int = 8) -> None:
        super().__init__()
        self.size, self.classes, self.width = size, classes, width
        self.above = nn.Conv2d(1, width, (ABOVE, 1 + 2 * _REACH))
        self.left = nn.Conv2d(1, width, (1, LEFT))
        self.layers = nn.ModuleList([_Layer(width, classes) for _ in range(layers)])
        self.head = nn.Sequential(nn.ReLU(), nn.Conv2d(width, _HEAD, 1), nn.ReLU(), nn.Conv2d(_HEAD, LEVELS, 1))

    def forward(self, level: Tensor, label: Tensor) -> Tensor:
        x = level.float() / (LEVELS - 1)
        v = self.above(F.pad(x, (_REACH, _REACH, ABOVE, 0))[:, :, :-1])
        h = self.left(F.pad(x, (LEFT, 0))[:, :, :, :-1])
        for layer in self.layers:
            v, told = layer.down(F.pad(v, (0, 0, 1, 0)), label)
            h = layer.across(F.pad(h, (_KEPT, 0)), told, label)
        return self.head(h)


class RowStep(nn.Module):
    """The vertical stack over one row.

    above float[b, 3, w] (the rows above in [0, 1], the nearest last), kept[b, layers, c, w], label[b]
    -> told[b, w, layers, 2 c], for `PixelStep`, and the new kept.
    """

    def __init__(self, network: PixelCnn) -> None:
        super().__init__()
        self.network = network

    def forward(self, above: Tensor, kept: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        v = self.network.above(F.pad(above[:, None], (_REACH, _REACH)))
        rows, told = [], []
        for index, layer in enumerate(self.network.layers):
            rows.append(v)
            v, said = layer.down(torch.cat([kept[:, index, :, None], v], 2), label)
            told.append(said)
        return torch.cat(told, 2).permute(0, 3, 2, 1), torch.cat(rows, 2).transpose(1, 2)


class PixelStep(nn.Module):
    """The horizontal stack at one pixel.

    left float[b, 6] (the pixels to the left in [0, 1], the nearest last), told[b, layers, 2 c], kept[b, layers, c, 2],
    label[b] -> logits[b, 256] and the new kept.
    """

    def __init__(self, network: PixelCnn) -> None:
        super().__init__()
        self.network = network

    def forward(self, left: Tensor, told: Tensor, kept: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        h = self.network.left(left[:, None, None])
        columns = []
        for index, layer in enumerate(self.network.layers):
            seen = torch.cat([kept[:, index, :, None], h], 3)
            columns.append(seen[:, :, 0, 1:])
            h = layer.across(seen, told[:, index, :, None, None], label)
        return self.network.head(h)[:, :, 0, 0], torch.stack(columns, 1)


def _gate(found: Tensor) -> Tensor:
    value, gate = found.chunk(2, dim=1)
    return value.tanh() * gate.sigmoid()
