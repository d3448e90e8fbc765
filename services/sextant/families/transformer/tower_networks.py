"""A small vision transformer (Dosovitskiy et al. 2021) as a CLIP's image tower. Training and export only."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Tower(nn.Module):
    """picture[b, c, s, s] in [0, 1] -> a vector of length 1, [b, embedding]. `patch` divides the size."""

    def __init__(
        self, size: int, channels: int, embedding: int, *, patch: int = 8, width: int = 192, layers: int = 4
    ) -> None:
        super().__init__()
        self.size, self.channels, self.embedding = size, channels, embedding
        self.enter = nn.Conv2d(channels, width, patch, stride=patch)
        self.places = nn.Parameter(torch.randn((size // patch) ** 2, width) * 0.02)
        self.blocks = nn.ModuleList([_Block(width) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, embedding)

    def forward(self, picture: Tensor) -> Tensor:
        h = self.enter(picture - 0.5).flatten(2).transpose(1, 2) + self.places
        for block in self.blocks:
            h = block(h)
        vector = self.leave(self.norm(h).mean(1))
        return vector / (vector.square().sum(1, keepdim=True) + 1e-12).sqrt()


class _Block(nn.Module):
    """Every patch looks at every other, then thinks for itself."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.ask, self.answer = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.inner = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, h: Tensor) -> Tensor:
        b, n, c = h.shape
        q, k, v = self.ask(self.first(h)).reshape(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        weights = (q @ k.transpose(2, 3) / (c // self.heads) ** 0.5).softmax(-1)
        h = h + self.answer((weights @ v).transpose(1, 2).reshape(b, n, c))
        return h + self.inner(self.second(h))


def contrast(pictures: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
    """The symmetric cross-entropy of who belongs to whom (Radford et al. 2021, figure 3), of unit vectors [b, d]."""
    logits = scale * pictures @ texts.T
    own = torch.arange(len(pictures))
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
