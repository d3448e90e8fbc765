"""CycleGAN's networks (Zhu et al. 2017, appendix): a residual generator each way, a patch discriminator each style.

Pictures are in [-1, 1]. The generator answers with a change to the picture it is given: with another style of the
same drawing most of it stays, and what stays need not be learnt.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sextant.families.gan.equalised import SLOPE


class ResidualBlock(nn.Module):
    """Two convolutions with instance norm beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.InstanceNorm2d(channels, affine=True),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.InstanceNorm2d(channels, affine=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.layers(x)
        return out


class CycleGenerator(nn.Module):
    """picture[b, 3, h, w] of one style -> the same in the other; h and w are multiples of 4."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.InstanceNorm2d(2 * width, affine=True),
            nn.ReLU(),
            nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1),
            nn.InstanceNorm2d(4 * width, affine=True),
            nn.ReLU(),
        )
        self.blocks = nn.Sequential(*(ResidualBlock(4 * width) for _ in range(blocks)))
        self.up = nn.Sequential(
            nn.ConvTranspose2d(4 * width, 2 * width, 4, stride=2, padding=1),
            nn.InstanceNorm2d(2 * width, affine=True),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1),
            nn.ReLU(),
        )
        self.out = nn.Conv2d(width + 3, 3, 3, padding=1)
        nn.init.normal_(self.out.weight, 0.0, 0.01)
        nn.init.zeros_(self.out.bias)

    def forward(self, picture: Tensor) -> Tensor:
        features = self.up(self.blocks(self.down(picture)))
        change = self.out(torch.cat([features, picture.to(features.dtype)], 1)).float()
        return (picture + 2 * torch.tanh(change)).clamp(-1, 1)


class PatchDiscriminator(nn.Module):
    """picture[b, 3, h, w] -> a score for each patch, [b, 1, h/8, w/8]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.InstanceNorm2d(2 * width, affine=True),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1),
            nn.InstanceNorm2d(4 * width, affine=True),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(4 * width, 1, 3, padding=1),
        )

    def forward(self, picture: Tensor) -> Tensor:
        scores: Tensor = self.layers(picture)
        return scores


def squared(scores: Tensor, wanted: float) -> Tensor:
    """The least-squares adversarial loss (Mao et al. 2017)."""
    return F.mse_loss(scores.float(), torch.full_like(scores, wanted, dtype=torch.float32))
