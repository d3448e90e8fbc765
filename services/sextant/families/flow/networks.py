"""Flows: invertible networks between data x and a standard normal z, whose log-determinant is known.

log p(x) = log N(z; 0, I) + log |det dz/dx|, exactly (Rezende & Mohamed 2015). RealNVP: Dinh et al. 2017, for
tables. Glow: Kingma & Dhariwal 2018, for pictures. `forward(x)` gives (z, log_det[b]); `inverse(z)` gives x.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Bounds on what a coupling may do to its half, which keep the inverse well conditioned in float32, also for a z that
# no picture has (Behrmann et al. 2021, "Understanding and mitigating exploding inverses").
_MOST_LOG_SCALE = 2.0  # RealNVP
_LEAST_LOG_SCALE = -3.0  # Glow


def summed(logs: Tensor) -> Tensor:
    """The sum of each row, [b]. As a matrix product, whose rounding in ONNX Runtime is the same for any batch."""
    flat = logs.flatten(1)
    return F.linear(flat, flat.new_ones(1, flat.shape[1])).squeeze(1)


class RealNvp(nn.Module):
    """Couplings over columns, alternately of the even and the odd ones, in turn with ActNorm.

    `mean` and `deviation` standardise the columns, inside the flow: the density is of x in the data's own units.
    """

    def __init__(self, columns: int, layers: int, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(columns))
        self.register_buffer("deviation", torch.ones(columns))
        self.norms = nn.ModuleList(ActNorm(columns) for _ in range(layers))
        self.couplings = nn.ModuleList(TableCoupling(columns, width, even=n % 2 == 0) for n in range(layers))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = (x - self.mean) / self.deviation
        log_det = -torch.log(self.deviation).sum().expand(x.shape[0])
        for norm, coupling in zip(self.norms, self.couplings, strict=True):
            z, change = norm(z)
            log_det = log_det + change
            z, change = coupling(z)
            log_det = log_det + change
        return z, log_det

    def inverse(self, z: Tensor) -> Tensor:
        """z[b, columns] -> x[b, columns]."""
        for norm, coupling in zip(reversed(self.norms), reversed(self.couplings), strict=True):
            z = norm.inverse(coupling.inverse(z))
        return z * self.deviation + self.mean


class TableCoupling(nn.Module):
    """One half of the columns stays and steers scale and shift of the other (Dinh et al. 2017, eq. 7 and 8)."""

    def __init__(self, columns: int, width: int, *, even: bool) -> None:
        super().__init__()
        mask = torch.arange(columns) % 2 == (0 if even else 1)
        self.register_buffer("kept", mask.float())
        self.net = nn.Sequential(
            nn.Linear(columns, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, 2 * columns),
        )
        last = self.net[-1]
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def _steer(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        log_scale, shift = self.net(kept).chunk(2, dim=1)
        log_scale = _MOST_LOG_SCALE * torch.tanh(log_scale / _MOST_LOG_SCALE)
        return log_scale * (1 - self.kept), shift * (1 - self.kept)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        log_scale, shift = self._steer(x * self.kept)
        return x * torch.exp(log_scale) + shift, summed(log_scale)

    def inverse(self, z: Tensor) -> Tensor:
        """The kept half is the same in z as in x, so scale and shift can be worked out again."""
        log_scale, shift = self._steer(z * self.kept)
        return (z - shift) * torch.exp(-log_scale)


class ActNorm(nn.Module):
    """Scale and offset per column or channel, set by the first batch to give zero mean and unit variance."""

    def __init__(self, channels: int, axes: int = 2) -> None:
        super().__init__()
        shape = (1, channels) + (1,) * (axes - 2)
        self.log_scale, self.offset = nn.Parameter(torch.zeros(shape)), nn.Parameter(torch.zeros(shape))
        self.register_buffer("ready", torch.zeros((), dtype=torch.bool))

    @torch.no_grad()
    def set_by(self, x: Tensor) -> None:
        """Data-dependent start (Kingma & Dhariwal 2018, section 3.1)."""
        over = [axis for axis in range(x.dim()) if axis != 1]
        self.offset.copy_(-x.mean(over, keepdim=True))
        self.log_scale.copy_(-torch.log(x.std(over, keepdim=True) + 1e-4))
        self.ready.fill_(True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.training and not self.ready:
            self.set_by(x)
        places = math.prod(x.shape[2:])
        return (x + self.offset) * torch.exp(self.log_scale), places * self.log_scale.sum()

    def inverse(self, z: Tensor) -> Tensor:
        """Undoes it."""
        return z * torch.exp(-self.log_scale) - self.offset


class Mixing(nn.Module):
    """Invertible 1 x 1 convolution, W = P L (U + diag(s)) (Kingma & Dhariwal 2018, eq. 10 and 11)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        rotation, _ = torch.linalg.qr(torch.randn(channels, channels))
        permutation, lower, upper = torch.linalg.lu(rotation)
        diagonal = upper.diagonal()
        self.register_buffer("permutation", permutation)
        self.register_buffer("sign", diagonal.sign())
        self.lower, self.upper = nn.Parameter(lower.tril(-1)), nn.Parameter(upper.triu(1))
        self.log_diagonal = nn.Parameter(diagonal.abs().log())

    def matrix(self) -> Tensor:
        """W[channels, channels]."""
        lower = self.lower.tril(-1) + torch.eye(len(self.sign), dtype=self.lower.dtype)
        upper = self.upper.triu(1) + torch.diag(self.sign * self.log_diagonal.exp())
        return self.permutation @ lower @ upper

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return F.conv2d(x, self.matrix()[:, :, None, None]), math.prod(x.shape[2:]) * self.log_diagonal.sum()

    def inverse(self, z: Tensor) -> Tensor:
        """By the inverse matrix, in float64."""
        return F.conv2d(z, torch.linalg.inv(self.matrix().double()).to(z.dtype)[:, :, None, None])


class FixedMixing(nn.Module):
    """A `Mixing` whose matrix and inverse are worked out beforehand, for export."""

    def __init__(self, mixing: Mixing) -> None:
        super().__init__()
        matrix = mixing.matrix().detach().double()
        self.register_buffer("weight", matrix.float()[:, :, None, None])
        self.register_buffer("weight_inverse", torch.linalg.inv(matrix).float()[:, :, None, None])
        self.register_buffer("log_det", mixing.log_diagonal.detach().double().sum().float())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return F.conv2d(x, self.weight), math.prod(x.shape[2:]) * self.log_det

    def inverse(self, z: Tensor) -> Tensor:
        """By the inverse matrix."""
        return F.conv2d(z, self.weight_inverse)


class PictureCoupling(nn.Module):
    """Half of the channels stays and steers scale and shift of the other (Kingma & Dhariwal 2018, table 1)."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.half = channels // 2
        self.net = nn.Sequential(
            nn.Conv2d(self.half, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * (channels - self.half), 3, padding=1),
        )
        last = self.net[-1]
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def _steer(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        # bfloat16 for speed while training, and here alone: what is steered must stay exact.
        with torch.autocast("cpu", torch.bfloat16, enabled=self.training):
            steering = self.net(kept)
        raw, shift = steering.to(kept.dtype).chunk(2, dim=1)
        # About log(sigmoid(raw + 2)), but bounded, and without a logarithm: ONNX Runtime rounds that one otherwise for
        # another batch.
        return _LEAST_LOG_SCALE * torch.sigmoid(-raw - 3.12), shift

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept, moved = x[:, : self.half], x[:, self.half :]
        log_scale, shift = self._steer(kept)
        return torch.cat([kept, (moved + shift) * torch.exp(log_scale)], 1), summed(log_scale)

    def inverse(self, z: Tensor) -> Tensor:
        """The kept half is the same in z as in x, so scale and shift can be worked out again."""
        kept, moved = z[:, : self.half], z[:, self.half :]
        log_scale, shift = self._steer(kept)
        return torch.cat([kept, moved * torch.exp(-log_scale) - shift], 1)


class Step(nn.Module):
    """ActNorm, mixing, coupling."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.norm = ActNorm(channels, axes=4)
        self.mixing: Mixing | FixedMixing = Mixing(channels)
        self.coupling = PictureCoupling(channels, width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x, first = self.norm(x)
        x, second = self.mixing(x)
        x, third = self.coupling(x)
        return x, first + second + third

    def inverse(self, z: Tensor) -> Tensor:
        """Undoes them in reverse."""
        x: Tensor = self.norm.inverse(self.mixing.inverse(self.coupling.inverse(z)))
        return x


class Prior(nn.Module):
    """Mean and log-deviation of some channels given others; what is given as z is what it does not foresee."""

    def __init__(self, given: int, foreseen: int) -> None:
        super().__init__()
        self.net = nn.Conv2d(given, 2 * foreseen, 3, padding=1)
        nn.init.zeros_(self.net.weight)
        nn.init.zeros_(self.net.bias)

    def forward(self, given: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_deviation = self.net(given).chunk(2, dim=1)
        return mean, log_deviation


class Glow(nn.Module):
    """Two scales of steps over squeezed pictures. x[b, c, h, w] is in [0, 256): pixel + u, u in [0, 1).

    z[b, c h w] is standard normal as a whole: the half that leaves after the first scale is standardised by what
    the other half foresees of it (Kingma & Dhariwal 2018, section 3; Dinh et al. 2017, section 3.6).
    """

    def __init__(self, size: int, channels: int, steps: int, width: int) -> None:
        super().__init__()
        self.size, self.channels = size, channels
        first = 4 * channels
        self.scale1 = nn.ModuleList(Step(first, width) for _ in range(steps))
        self.half = first // 2
        self.prior = Prior(self.half, first - self.half)
        self.scale2 = nn.ModuleList(Step(4 * self.half, width) for _ in range(steps))

    @property
    def latent_dim(self) -> int:
        """How many numbers z has: as many as x."""
        return self.channels * self.size * self.size

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = F.pixel_unshuffle(x / 256 - 0.5, 2)
        log_det = x.new_full((1,), -math.log(256) * self.latent_dim).expand(x.shape[0])
        for step in self.scale1:
            h, change = step(h)
            log_det = log_det + change
        h, left = h[:, : self.half], h[:, self.half :]
        mean, log_deviation = self.prior(h)
        left = (left - mean) * torch.exp(-log_deviation)
        log_det = log_det - summed(log_deviation)
        h = F.pixel_unshuffle(h, 2)
        for step in self.scale2:
            h, change = step(h)
            log_det = log_det + change
        return torch.cat([left.flatten(1), h.flatten(1)], 1), log_det

    def inverse(self, z: Tensor) -> Tensor:
        """z[b, c h w] -> x[b, c, h, w] in [0, 256) and, where z is unlikely, beyond."""
        grid = self.size // 2
        left_size = (4 * self.channels - self.half) * grid * grid
        left = z[:, :left_size].unflatten(1, (-1, grid, grid))
        h = z[:, left_size:].unflatten(1, (-1, grid // 2, grid // 2))
        for step in reversed(self.scale2):
            h = step.inverse(h)
        h = F.pixel_shuffle(h, 2)
        mean, log_deviation = self.prior(h)
        h = torch.cat([h, left * torch.exp(log_deviation) + mean], 1)
        for step in reversed(self.scale1):
            h = step.inverse(h)
        return (F.pixel_shuffle(h, 2) + 0.5) * 256

    def fix_mixing(self) -> None:
        """Replaces the mixing matrices by fixed ones with their inverses, for export and speed."""
        for step in [*self.scale1, *self.scale2]:
            if isinstance(step.mixing, Mixing):
                step.mixing = FixedMixing(step.mixing)
