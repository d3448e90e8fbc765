"""The encoder and decoder of a convolutional VAE (Kingma & Welling 2014), conditional where it knows classes.

Pictures are in [0, 1]. The likelihood of a pixel is a discretised logistic (Salimans et al. 2017, eq. 2) around
the decoder's mean, whose scale is one learned number for the whole model: the noise level at which the ELBO is
largest (Rybkin et al. 2021), so that no weight between reconstruction and KL has to be guessed.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_GROUPS = 8
_LEAST_LOG_VARIANCE, _MOST_LOG_VARIANCE = -12.0, 4.0


class Residual(nn.Module):
    """x + conv(silu(norm(conv(silu(norm(x)))))), the size unchanged."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(_GROUPS, channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.GroupNorm(_GROUPS, channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.layers(x)
        return out


class Encoder(nn.Module):
    """picture[b, c, h, w] (, label int64[b]) -> mean and log-variance of q(z | x), each [b, latent_dim]."""

    def __init__(self, latent_dim: int, size: int, channels: int, classes: int, width: int) -> None:
        super().__init__()
        self.classes, grid = classes, size // 4
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            Residual(2 * width),
            nn.Conv2d(2 * width, 2 * width, 4, stride=2, padding=1),
            Residual(2 * width),
            nn.GroupNorm(_GROUPS, 2 * width),
            nn.SiLU(),
            nn.Flatten(),
        )
        self.hidden = nn.Linear(2 * width * grid * grid + classes, 4 * width)
        self.out = nn.Linear(4 * width, 2 * latent_dim)

    def forward(self, picture: Tensor, label: Tensor | None = None) -> tuple[Tensor, Tensor]:
        features = _with_class(self.layers(picture - 0.5), label, self.classes)
        mean, log_variance = self.out(F.silu(self.hidden(features))).chunk(2, dim=1)
        return mean, log_variance.clamp(_LEAST_LOG_VARIANCE, _MOST_LOG_VARIANCE)


class Decoder(nn.Module):
    """z[b, latent_dim] (, label int64[b]) -> mean picture[b, c, h, w] in [0, 1]."""

    def __init__(self, latent_dim: int, size: int, channels: int, classes: int, width: int) -> None:
        super().__init__()
        self.classes, grid = classes, size // 4
        self.grid = (2 * width, grid, grid)
        self.hidden = nn.Linear(latent_dim + classes, 4 * width)
        self.project = nn.Linear(4 * width, 2 * width * grid * grid)
        self.layers = nn.Sequential(
            Residual(2 * width),
            nn.ConvTranspose2d(2 * width, 2 * width, 4, stride=2, padding=1),
            Residual(2 * width),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1),
            nn.GroupNorm(_GROUPS, width),
            nn.SiLU(),
            nn.Conv2d(width, channels, 3, padding=1),
        )

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        hidden = F.silu(self.hidden(_with_class(z, label, self.classes)))
        return torch.sigmoid(self.layers(self.project(hidden).unflatten(1, self.grid)).float())


class ClassPrior(nn.Module):
    """p(z | class), a Gaussian with learned mean and deviation for each class (Sohn et al. 2015, section 4.1).

    What a model shows as z is measured from there: standard normal whatever the class.
    """

    def __init__(self, classes: int, latent_dim: int) -> None:
        super().__init__()
        self.mean = nn.Embedding(classes, latent_dim)
        self.log_deviation = nn.Embedding(classes, latent_dim)
        nn.init.normal_(self.mean.weight, 0.0, 0.5)
        nn.init.zeros_(self.log_deviation.weight)

    def measured(self, mean: Tensor, log_variance: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """A posterior in the coordinates of its class."""
        log_deviation = self.log_deviation(label)
        return (mean - self.mean(label)) * torch.exp(-log_deviation), log_variance - 2 * log_deviation

    def placed(self, z: Tensor, label: Tensor) -> Tensor:
        """A point in the coordinates that all classes share."""
        placed: Tensor = self.mean(label) + torch.exp(self.log_deviation(label)) * z
        return placed


class ConditionalEncoder(nn.Module):
    """(picture, label) -> mean and log-variance of q(z | x, class), as the class's prior measures them."""

    def __init__(self, encoder: Encoder, prior: ClassPrior) -> None:
        super().__init__()
        self.encoder, self.prior, self.classes = encoder, prior, encoder.classes

    def forward(self, picture: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.encoder(picture, label)
        return self.prior.measured(mean.float(), log_variance.float(), label)


class ConditionalDecoder(nn.Module):
    """(z as the class's prior measures it, label) -> mean picture."""

    def __init__(self, decoder: Decoder, prior: ClassPrior) -> None:
        super().__init__()
        self.decoder, self.prior, self.classes = decoder, prior, decoder.classes

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        picture: Tensor = self.decoder(self.prior.placed(z, label), label)
        return picture


class Vae(nn.Module):
    """Both halves and the scale of the likelihood. `classes` 0: unconditional."""

    def __init__(self, latent_dim: int, size: int, channels: int, classes: int, width: int) -> None:
        super().__init__()
        self.latent_dim, self.size, self.channels, self.classes = latent_dim, size, channels, classes
        encoder = Encoder(latent_dim, size, channels, classes, width)
        decoder = Decoder(latent_dim, size, channels, classes, width)
        self.encoder: nn.Module = encoder
        self.decoder: nn.Module = decoder
        if classes:
            prior = ClassPrior(classes, latent_dim)
            self.encoder, self.decoder = ConditionalEncoder(encoder, prior), ConditionalDecoder(decoder, prior)
        self.log_scale = nn.Parameter(torch.tensor(math.log(0.05)))


def discretised_logistic(picture: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """log p(picture | mean, scale) in nats, [b]: of 8-bit pixels, both in units where white is 1.

    Salimans et al. 2017, eq. 2: the mass of a logistic in the pixel's bin of 1/255; the outer bins take the tails.
    """
    upper = (picture - mean + 0.5 / 255) / scale
    lower = (picture - mean - 0.5 / 255) / scale
    # log(sigmoid(u) - sigmoid(l)) = logsigmoid(u) + logsigmoid(-l) + log(1 - exp(l - u)); the last is a constant.
    inside = F.logsigmoid(upper) + F.logsigmoid(-lower) + torch.log(-torch.expm1(-1 / (255 * scale)))
    logs = torch.where(picture < 0.5 / 255, F.logsigmoid(upper), inside)
    logs = torch.where(picture > 1 - 0.5 / 255, F.logsigmoid(-lower), logs)
    return logs.flatten(1).sum(1)


def _with_class(features: Tensor, label: Tensor | None, classes: int) -> Tensor:
    if label is None:
        return features
    return torch.cat([features, F.one_hot(label, classes).to(features.dtype)], dim=1)
