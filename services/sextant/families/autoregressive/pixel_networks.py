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

    Convolutions are products of matrices here, columns by what they see, and what all layers do alike is one product:
    for one row, convolutions and nodes cost more than the arithmetic.
    """

    def __init__(self, network: PixelCnn) -> None:
        super().__init__()
        self.above = network.above
        layers = [layer for layer in network.layers if isinstance(layer, _Layer)]
        self.of_kept = _fixed([_by_shift(layer.vertical.weight[:, :, 0]) for layer in layers])
        self.of_row = _fixed([_by_shift(layer.vertical.weight[:, :, 1]) for layer in layers])
        self.bias = _fixed([layer.vertical.bias[None, None] for layer in layers])
        self.label = _fixed([layer.label_v.weight for layer in layers])
        self.tell = _fixed([layer.tell.weight[:, :, 0, 0].t() for layer in layers])
        self.tell_bias = _fixed([layer.tell.bias[None, None] for layer in layers])
        self.mix = nn.ModuleList([_linear(layer.mix_v) for layer in layers])

    def forward(self, above: Tensor, kept: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        width = above.shape[2]
        v = self.above(F.pad(above[:, None], (_REACH, _REACH)))[:, :, 0].transpose(1, 2)
        said = self.bias + self.label[:, label][:, :, None]
        # [layers, b, w, 3 c] x [layers, 1, 3 c, 2 c]
        known = _shifted(kept.permute(1, 0, 3, 2), width) @ self.of_kept[:, None] + said
        rows, founds = [], []
        for of_row, mix, told in zip(self.of_row.unbind(0), self.mix, known.unbind(0), strict=True):
            rows.append(v)
            found = _shifted(v, width) @ of_row + told
            founds.append(found)
            v = v + mix(_gate(found, 2))
        told = torch.stack(founds) @ self.tell[:, None] + self.tell_bias
        return told.permute(1, 2, 0, 3), torch.stack(rows, 1).transpose(2, 3)


class PixelStep(nn.Module):
    """The horizontal stack at one pixel.

    left float[b, 6] (the pixels to the left in [0, 1], the nearest last), told[b, layers, 2 c], kept[b, layers, c, 2],
    label[b] -> logits[b, 256] and the new kept.

    As few nodes as can be, for a node costs more than its arithmetic: what the layers owe to the columns on the left
    is one product for all, and the biases of `mix_h`, which only add up, are in what comes before and after.
    """

    def __init__(self, network: PixelCnn) -> None:
        super().__init__()
        width, layers = network.width, [layer for layer in network.layers if isinstance(layer, _Layer)]
        self.width = width
        self.left, self.left_bias = _fixed(network.left.weight[:, 0, 0].t()), _fixed(network.left.bias)
        self.of_now = _fixed([layer.horizontal.weight[:, :, 0, _KEPT].t() for layer in layers])
        self.of_kept = _fixed([layer.horizontal.weight[:, :, 0, :_KEPT].flatten(1).t() for layer in layers])
        self.label = _fixed(torch.stack([layer.label_h.weight for layer in layers], 1))
        self.mix = _fixed([layer.mix_h.weight[:, :, 0, 0].t() for layer in layers])
        owed = torch.stack([layer.mix_h.bias for layer in layers]).cumsum(0).roll(1, 0)
        owed[0] = 0
        self.owed = _fixed(owed)
        biases = torch.stack([layer.horizontal.bias for layer in layers])
        self.bias = _fixed(biases + (owed[:, None] @ self.of_now)[:, 0])
        self.head = nn.Sequential(nn.ReLU(), _linear(network.head[1]), nn.ReLU(), _linear(network.head[3]))
        self.last = _fixed(sum((layer.mix_h.bias for layer in layers), torch.zeros(width)))

    def forward(self, left: Tensor, told: Tensor, kept: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        rows, layers = told.shape[0], len(self.owed)
        seen = kept.flatten(2).transpose(0, 1) @ self.of_kept
        known = (seen.transpose(0, 1) + (told + self.label[label] + self.bias)).reshape(rows, -1)
        h = torch.addmm(self.left_bias, left, self.left)
        columns = []
        for index, before in enumerate(known.split(2 * self.width, 1)):
            columns.append(h)
            found = torch.addmm(before, h, self.of_now[index])
            h = torch.addmm(h, _gate(found), self.mix[index])
        now = torch.cat(columns, 1).reshape(rows, layers, self.width) + self.owed
        return self.head(h + self.last), torch.stack([kept[:, :, :, 1], now], 3)


def _gate(found: Tensor, axis: int = 1) -> Tensor:
    value, gate = found.chunk(2, dim=axis)
    return value.tanh() * gate.sigmoid()


def _by_shift(weight: Tensor) -> Tensor:
    """weight[o, c, n] of a convolution along a row as [n c, o], for rows as `_shifted` lays them out."""
    return weight.permute(2, 1, 0).flatten(0, 1)


def _shifted(row: Tensor, width: int) -> Tensor:
    """row[..., w, c] -> [..., w, 3 c]: each column with its neighbours, zeros beyond the edge."""
    padded = F.pad(row, (0, 0, 1, 1))
    return torch.cat([padded[..., first : first + width, :] for first in range(3)], -1)


def _linear(pointwise: nn.Module) -> nn.Linear:
    """A convolution of one pixel as what it is."""
    assert isinstance(pointwise, nn.Conv2d)
    assert pointwise.bias is not None
    linear = nn.Linear(pointwise.in_channels, pointwise.out_channels)
    linear.weight, linear.bias = _fixed(pointwise.weight[:, :, 0, 0]), _fixed(pointwise.bias)
    return linear


def _fixed(weight: Tensor | list[Tensor]) -> nn.Parameter:
    """A weight that is not learnt; one for each layer, stacked, from a list."""
    whole = torch.stack(weight) if isinstance(weight, list) else weight
    return nn.Parameter(whole.detach().clone().contiguous(), requires_grad=False)
