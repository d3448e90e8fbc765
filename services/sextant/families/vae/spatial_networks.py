"""The encoder and decoder of a spatial VAE: a picture to a small map of it and back. Training and export only."""

import torch
from torch import Tensor, nn

from sextant.families.vae.networks import Residual

_LEAST_LOG_VARIANCE, _MOST_LOG_VARIANCE = -20.0, 4.0


class SpatialEncoder(nn.Module):
    """picture[b, c, h, w] in [0, 1] -> mean and log-variance of q(z | x), each [b, latent, h / 2^d, w / 2^d]."""

    def __init__(self, channels: int, latent: int, width: int, downs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1)]
        for down in range(downs):
            wide_in, wide_out = width * min(2**down, 4), width * min(2 ** (down + 1), 4)
            layers += [nn.SiLU(), nn.Conv2d(wide_in, wide_out, 4, stride=2, padding=1), Residual(wide_out)]
        wide = width * min(2**downs, 4)
        layers += [nn.GroupNorm(8, wide), nn.SiLU(), nn.Conv2d(wide, 2 * latent, 3, padding=1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.layers(picture - 0.5).chunk(2, dim=1)
        return mean, log_variance.clamp(_LEAST_LOG_VARIANCE, _MOST_LOG_VARIANCE)


class SpatialDecoder(nn.Module):
    """z[b, latent, h / 2^d, w / 2^d] -> picture[b, c, h, w] in [0, 1]."""

    def __init__(self, channels: int, latent: int, width: int, downs: int) -> None:
        super().__init__()
        wide = width * min(2**downs, 4)
        layers: list[nn.Module] = [nn.Conv2d(latent, wide, 3, padding=1)]
        for down in reversed(range(downs)):
            wide_in, wide_out = width * min(2 ** (down + 1), 4), width * min(2**down, 4)
            layers += [Residual(wide_in), nn.ConvTranspose2d(wide_in, wide_out, 4, stride=2, padding=1)]
        layers += [nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, channels, 3, padding=1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.layers(z).float())


class SpatialVae(nn.Module):
    """Both halves: pictures of `size` are halved `downs` times, to `latent` numbers a place.

    `deviation` is that of the code, as training found it; what is exported divides by it.
    """

    def __init__(self, size: int, channels: int, latent: int, *, width: int = 32, downs: int = 3) -> None:
        super().__init__()
        self.size, self.channels = size, channels
        self.latent = (latent, size // 2**downs, size // 2**downs)
        self.encoder = SpatialEncoder(channels, latent, width, downs)
        self.decoder = SpatialDecoder(channels, latent, width, downs)
        self.register_buffer("deviation", torch.ones(()))
