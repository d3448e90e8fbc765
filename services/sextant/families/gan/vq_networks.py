"""The networks of a VQ-GAN (Esser et al. 2021): a picture to a small map of codes and back. Training and export only.

A code stands for the nearest of `size` learnt vectors (van den Oord et al. 2017). Both ways are convolutions alone, of
short reach: what a code says is of its own place and the two around it, so that a picture can be kept in part.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Residual(nn.Module):
    """x + strength * conv(silu(conv(silu(x)))), of strength 0 at first (Bachlechner et al. 2021, "ReZero").

    There is no normalisation: it would tell every place of all others. A kernel of 1 lets each mind its own.
    """

    def __init__(self, channels: int, kernel: int = 3) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.SiLU(),
            nn.Conv2d(channels, channels, kernel, padding=kernel // 2),
            nn.SiLU(),
            nn.Conv2d(channels, channels, kernel, padding=kernel // 2),
        )
        self.strength = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.strength * self.layers(x)
        return out


class VqEncoder(nn.Module):
    """picture[b, c, h, w] in [0, 1] -> a vector for each place, [b, depth, h / 2 patch, w / 2 patch].

    It works on `patch` x `patch` pixels at once.
    """

    def __init__(self, channels: int, depth: int, width: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.layers = nn.Sequential(
            nn.Conv2d(channels * patch**2, width, 3, padding=1),
            Residual(width),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            Residual(2 * width, kernel=1),
            nn.SiLU(),
            nn.Conv2d(2 * width, depth, 1),
        )

    def forward(self, picture: Tensor) -> Tensor:
        vectors: Tensor = self.layers(F.pixel_unshuffle(picture - 0.5, self.patch))
        return vectors.float()


class VqDecoder(nn.Module):
    """The way back: vectors[b, depth, h, w] -> picture[b, c, 2 patch h, 2 patch w] in [0, 1]."""

    def __init__(self, channels: int, depth: int, width: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.layers = nn.Sequential(
            nn.Conv2d(depth, 2 * width, 3, padding=1),
            Residual(2 * width),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1),
            Residual(width),
            Residual(width),
            nn.SiLU(),
        )
        self.last = nn.Conv2d(width, channels * patch**2, 3, padding=1)

    def forward(self, vectors: Tensor) -> Tensor:
        return torch.sigmoid(F.pixel_shuffle(self.last(self.layers(vectors)).float(), self.patch))


class Codebook(nn.Module):
    """`size` vectors of `depth` numbers, each the running mean of what it stood for (van den Oord et al. 2017, A.1).

    `counts` and `sums` are the running number of vectors that each stood for, and what they add up to.
    """

    vectors: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(self, size: int, depth: int) -> None:
        super().__init__()
        self.size, self.depth = size, depth
        self.register_buffer("vectors", torch.zeros(size, depth))
        self.register_buffer("counts", torch.zeros(size))
        self.register_buffer("sums", torch.zeros(size, depth))

    def distances(self, given: Tensor) -> Tensor:
        """Squared distances of given[b, depth, h, w] to all vectors, less what is the same for all, [b, size, h, w]."""
        return F.conv2d(given, -2 * self.vectors[:, :, None, None], self.vectors.square().sum(1))

    def vectors_of(self, codes: Tensor) -> Tensor:
        """codes int64[b, h, w] -> [b, depth, h, w]."""
        return F.embedding(codes, self.vectors).permute(0, 3, 1, 2)


class VqGan(nn.Module):
    """Both ways, and the codebook between them: pictures of `size` become codes[b, *places]."""

    def __init__(
        self, size: int, channels: int, *, codes: int = 256, depth: int = 16, width: int = 64, patch: int = 4
    ) -> None:
        super().__init__()
        self.size, self.channels = size, channels
        self.places = (size // (2 * patch), size // (2 * patch))
        self.encoder = VqEncoder(channels, depth, width, patch)
        self.codebook = Codebook(codes, depth)
        self.decoder = VqDecoder(channels, depth, width, patch)
