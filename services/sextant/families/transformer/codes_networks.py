"""A transformer over codes of pictures, one place after another (Esser et al. 2021), conditioned on words where asked.

With words it is an encoder-decoder as Parti is (Yu et al. 2022): the states of a frozen text encoder are read once by a
few layers of its own, which offer keys and values to each layer of the decoder. A place attends to those and to the
places before it in one softmax. `CodeTransformer` sees whole maps, to learn; `CodeStep` one place, to draw.
Training and export only.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_HIDDEN = -1e9  # added to the score of what must not be seen


class CodeTransformer(nn.Module):
    """codes int64[b, n] -> logits[b, n, codes] of each place after those before it; `places` are rows and columns.

    `context` is how many states of which width it is told, (0, 0) for none; lengths[b] says how many count.
    """

    def __init__(
        self,
        codes: int,
        places: tuple[int, int],
        context: tuple[int, int] = (0, 0),
        *,
        width: int = 192,
        layers: int = 5,
        heads: int = 6,
        readers: int = 2,
    ) -> None:
        super().__init__()
        self.codes, self.places, self.context = codes, places, context
        self.width, self.layers, self.heads = width, layers, heads
        self.embed = nn.Embedding(codes + 1, width)  # the last of them stands before the first place
        self.rows = nn.Parameter(torch.randn(places[0], 1, width) * 0.02)
        self.columns = nn.Parameter(torch.randn(1, places[1], width) * 0.02)
        self.blocks = nn.ModuleList([_Block(width, heads) for _ in range(layers)])
        self.norm, self.leave = nn.LayerNorm(width), nn.Linear(width, codes)
        self.reader = Reader(context[1], width, heads, readers, layers) if context[0] else None
        nn.init.normal_(self.embed.weight, std=0.02)

    @property
    def positions(self) -> Tensor:
        """What tells the places apart, [n, width]."""
        return (self.rows + self.columns).flatten(0, 1)

    def forward(self, codes: Tensor, states: Tensor | None = None, lengths: Tensor | None = None) -> Tensor:
        b, n = codes.shape
        start = torch.full_like(codes[:, :1], self.codes)
        h = self.embed(torch.cat([start, codes[:, :-1]], 1)) + self.positions
        seen = torch.ones(n, n, dtype=torch.bool).tril().expand(b, 1, n, n)
        offered: list[Tensor | None] = [None] * self.layers
        if self.reader is not None:
            assert states is not None
            assert lengths is not None
            # [b, layers, 2, heads, t, d]
            offered = list(self.reader(states, lengths).unflatten(1, (self.layers, 2, self.heads)).unbind(1))
            said = _within(lengths, states.shape[1])[:, None, None].expand(-1, -1, n, -1)
            seen = torch.cat([said, seen], 3)
        hidden = _hidden(seen).to(h.dtype)
        for block, kept in zip(self.blocks, offered, strict=True):
            h = block(h, hidden, kept)
        logits: Tensor = self.leave(self.norm(h))
        return logits


class Reader(nn.Module):
    """states[b, t, context], lengths[b] -> keys and values for each layer of the decoder, [b, 2 layers heads, t, d]."""

    def __init__(self, context: int, width: int, heads: int, readers: int, layers: int) -> None:
        super().__init__()
        self.layers, self.heads = layers, heads
        self.enter = nn.Linear(context, width)
        self.blocks = nn.ModuleList([_Block(width, heads) for _ in range(readers)])
        self.norm, self.offer = nn.LayerNorm(width), nn.Linear(width, 2 * layers * width)

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        h = self.enter(states)
        hidden = _hidden(_within(lengths, states.shape[1]))[:, None, None]
        for block in self.blocks:
            h = block(h, hidden, None)
        return _by_head(self.offer(self.norm(h)), 2 * self.layers * self.heads)


class CodeStep(nn.Module):
    """One place of each row, for export.

    code[b] is the code before it, position[b] its place. Then come length[b], how much was read, for a network that is
    told words, and keys and values of each layer in turn, [b, heads, t + n, d]: of what was read, then of the places so
    far. Answers with logits[b, codes] and the keys and values of this place, [b, 2 layers heads, d].
    """

    def __init__(self, network: CodeTransformer) -> None:
        super().__init__()
        self.network = network

    def forward(self, code: Tensor, position: Tensor, *given: Tensor) -> tuple[Tensor, Tensor]:
        network = self.network
        tokens, places = network.context[0], network.places[0] * network.places[1]
        seen = _within(position, places)
        if tokens:
            seen = torch.cat([_within(given[0], tokens), seen], 1)
            given = given[1:]
        hidden = _hidden(seen)[:, None, :, None]
        h = network.embed(code) + F.embedding(position, network.positions)
        new = []
        for layer, block in enumerate(network.blocks):
            assert isinstance(block, _Block)
            h, key, value = block.one(h, given[2 * layer], given[2 * layer + 1], hidden)
            new += [key, value]
        return network.leave(network.norm(h)), torch.cat(new, 1)


class _Block(nn.Module):
    """Attention, then an MLP, each beside the identity."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.ask, self.answer = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.inner = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        for last in (self.answer, self.inner[2]):
            assert isinstance(last, nn.Linear)
            nn.init.normal_(last.weight, std=0.02)

    def forward(self, h: Tensor, hidden: Tensor, kept: Tensor | None) -> Tensor:
        """h[b, n, width]; hidden[b, 1, n or 1, t + n] adds to scores; kept[b, 2, heads, t, d] comes before its own."""
        q, k, v = _by_head(self.ask(self.first(h)), 3 * self.heads).chunk(3, 1)
        if kept is not None:
            k, v = torch.cat([kept[:, 0], k], 2), torch.cat([kept[:, 1], v], 2)
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[3]) + hidden
        h = h + self.answer((scores.softmax(3).to(v.dtype) @ v).transpose(1, 2).flatten(2))
        out: Tensor = h + self.inner(self.second(h))
        return out

    def one(self, h: Tensor, keys: Tensor, values: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """h[b, width] on, after keys and values [b, heads, p, d]; and its own, [b, heads, d] each."""
        q, k, v = self.ask(self.first(h)).unflatten(1, (3 * self.heads, -1)).chunk(3, 1)
        q = q[..., None] / math.sqrt(q.shape[2])
        scores = torch.cat([keys @ q + hidden, k[:, :, None] @ q], 2)
        weights = scores.softmax(2).transpose(2, 3)
        mixed = weights[..., :-1] @ values + weights[..., -1:] * v[:, :, None]
        h = h + self.answer(mixed.flatten(1))
        return h + self.inner(self.second(h)), k, v


def _by_head(x: Tensor, heads: int) -> Tensor:
    """[b, n, heads d] -> [b, heads, n, d]."""
    return x.unflatten(2, (heads, -1)).transpose(1, 2)


def _hidden(seen: Tensor) -> Tensor:
    """0 where it is true, and what hides a score elsewhere."""
    return torch.where(seen, 0.0, _HIDDEN)


def _within(length: Tensor, most: int) -> Tensor:
    """bool[b, most]: which of as many places are among the first `length`[b]."""
    return torch.arange(most)[None] < length[:, None]
