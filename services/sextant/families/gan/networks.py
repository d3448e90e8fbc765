"""The networks of DCGAN and of a BigGAN-style class-conditional GAN. Pictures are in [-1, 1], as tanh gives them.

DCGAN: Radford et al. 2016. BigGAN: Brock et al. 2019, with projection (Miyato & Koyama 2018), spectral
normalisation (Miyato et al. 2018) and self-attention (Zhang et al. 2019).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

_SLOPE = 0.2  # of LeakyReLU below 0


class DcganGenerator(nn.Module):
    """z[b, latent_dim] -> picture[b, channels, size, size]; size is 4 x the first grid."""

    def __init__(self, latent_dim: int, size: int, channels: int, width: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        first = size // 4
        self.grid = (2 * width, first, first)
        self.project = nn.Linear(latent_dim, 2 * width * first * first, bias=False)
        self.layers = nn.Sequential(
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.ConvTranspose2d(width, width, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, channels, 3, padding=1),
            nn.Tanh(),
        )
        self.apply(_dcgan_start)

    def forward(self, z: Tensor) -> Tensor:
        out: Tensor = self.layers(self.project(z).unflatten(1, self.grid))
        return out


class DcganDiscriminator(nn.Module):
    """picture[b, channels, size, size] -> logit[b]: how real it looks."""

    def __init__(self, size: int, channels: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 4, stride=2, padding=1),
            nn.LeakyReLU(_SLOPE),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.LeakyReLU(_SLOPE),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.LeakyReLU(_SLOPE),
            nn.Flatten(),
            nn.Linear(2 * width * (size // 4) ** 2, 1),
        )
        self.apply(_dcgan_start)

    def forward(self, picture: Tensor) -> Tensor:
        logit: Tensor = self.layers(picture).squeeze(1)
        return logit


def _dcgan_start(module: nn.Module) -> None:
    """Weights from N(0, 0.02), as the paper has them."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


class ConditionalNorm(nn.Module):
    """Batch normalisation whose gain and offset depend on the condition c[b, n]."""

    def __init__(self, channels: int, condition_dim: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = spectral_norm(nn.Linear(condition_dim, channels, bias=False))
        self.offset = spectral_norm(nn.Linear(condition_dim, channels, bias=False))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        gain, offset = self.gain(condition)[:, :, None, None], self.offset(condition)[:, :, None, None]
        out: Tensor = self.norm(x) * (1 + gain) + offset
        return out


class UpBlock(nn.Module):
    """Residual block that doubles the size."""

    def __init__(self, inputs: int, outputs: int, condition_dim: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = ConditionalNorm(inputs, condition_dim), ConditionalNorm(outputs, condition_dim)
        self.conv1 = spectral_norm(nn.Conv2d(inputs, outputs, 3, padding=1))
        self.conv2 = spectral_norm(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip = spectral_norm(nn.Conv2d(inputs, outputs, 1))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        out = F.interpolate(F.relu(self.norm1(x, condition)), scale_factor=2.0, mode="nearest")
        out = self.conv2(F.relu(self.norm2(self.conv1(out), condition)))
        skip: Tensor = F.interpolate(self.skip(x), scale_factor=2.0, mode="nearest")
        return out + skip


class SelfAttention(nn.Module):
    """Each place looks at all places of the half-size grid (Zhang et al. 2019, section 3)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = spectral_norm(nn.Conv2d(channels, channels // 8, 1, bias=False))
        self.key = spectral_norm(nn.Conv2d(channels, channels // 8, 1, bias=False))
        self.value = spectral_norm(nn.Conv2d(channels, channels // 2, 1, bias=False))
        self.out = spectral_norm(nn.Conv2d(channels // 2, channels, 1, bias=False))
        self.strength = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        query = self.query(x).flatten(2)  # [b, c/8, hw]
        key = F.max_pool2d(self.key(x), 2).flatten(2)
        value = F.max_pool2d(self.value(x), 2).flatten(2)
        attention = torch.softmax(query.transpose(1, 2) @ key, dim=-1)  # [b, hw, hw/4]
        seen = (value @ attention.transpose(1, 2)).unflatten(2, x.shape[2:])
        out: Tensor = x + self.strength * self.out(seen)
        return out


class BigganGenerator(nn.Module):
    """(z[b, latent_dim], label int64[b]) -> picture[b, channels, size, size].

    z is cut into chunks: one makes the first grid, the others, each beside the class's embedding, steer the
    norms of a block each (Brock et al. 2019, appendix B).
    """

    def __init__(self, latent_dim: int, classes: int, size: int, channels: int, width: int) -> None:
        super().__init__()
        self.latent_dim, self.chunk = latent_dim, latent_dim // 3
        embedded = 32
        self.embed = nn.Embedding(classes, embedded)
        first = size // 4
        self.grid = (2 * width, first, first)
        self.project = spectral_norm(nn.Linear(self.chunk, 2 * width * first * first))
        condition = embedded + self.chunk
        self.block1 = UpBlock(2 * width, 2 * width, condition)
        self.attention = SelfAttention(2 * width)
        self.block2 = UpBlock(2 * width, width, condition)
        self.norm = nn.BatchNorm2d(width)
        self.conv = spectral_norm(nn.Conv2d(width, channels, 3, padding=1))

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        z0, z1, z2 = z[:, : self.chunk], z[:, self.chunk : 2 * self.chunk], z[:, 2 * self.chunk : 3 * self.chunk]
        embedded = self.embed(label)
        x = self.project(z0).unflatten(1, self.grid)
        x = self.attention(self.block1(x, torch.cat([embedded, z1], 1)))
        x = self.block2(x, torch.cat([embedded, z2], 1))
        return torch.tanh(self.conv(F.relu(self.norm(x))))


class DownBlock(nn.Module):
    """Residual block of the discriminator; halves the size where asked."""

    def __init__(self, inputs: int, outputs: int, *, down: bool, first: bool = False) -> None:
        super().__init__()
        self.conv1 = spectral_norm(nn.Conv2d(inputs, outputs, 3, padding=1))
        self.conv2 = spectral_norm(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip = spectral_norm(nn.Conv2d(inputs, outputs, 1))
        self.down, self.first = down, first

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv2(F.relu(self.conv1(x if self.first else F.relu(x))))
        skip: Tensor = self.skip(x)
        return F.avg_pool2d(out + skip, 2) if self.down else out + skip


class BigganDiscriminator(nn.Module):
    """(picture, label) -> logit[b], by projection on the class's embedding."""

    def __init__(self, classes: int, channels: int, width: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            DownBlock(channels, width, down=True, first=True),
            DownBlock(width, 2 * width, down=True),
            DownBlock(2 * width, 2 * width, down=False),
        )
        self.embed = spectral_norm(nn.Embedding(classes, 2 * width))
        self.linear = spectral_norm(nn.Linear(2 * width, 1))

    def forward(self, picture: Tensor, label: Tensor) -> Tensor:
        features = F.relu(self.blocks(picture)).sum(dim=(2, 3))
        logit: Tensor = self.linear(features).squeeze(1) + (self.embed(label) * features).sum(1)
        return logit
