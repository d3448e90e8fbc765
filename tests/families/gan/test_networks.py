"""The GANs themselves, in torch: layers that do what their papers say, and games that can be played."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sextant.families.gan.cycle_networks import CycleGenerator
from sextant.families.gan.cycle_train import CycleTraining
from sextant.families.gan.equalised import EqualisedConv, EqualisedLinear, pixel_norm, with_deviation
from sextant.families.gan.networks import BigganDiscriminator, BigganGenerator, DcganDiscriminator, DcganGenerator
from sextant.families.gan.progressive_networks import ProganDiscriminator, ProganGenerator
from sextant.families.gan.style_networks import StyledConv, StyleDiscriminator, StyleGenerator
from sextant.families.gan.style_train import ProganTraining, Stage, StyleTraining
from sextant.families.gan.train import BigganTraining, DcganTraining

_WIDTHS = (16, 16, 8)


def test_styled_convolution_equals_one_with_modulated_and_demodulated_weights() -> None:
    torch.manual_seed(0)
    layer = StyledConv(3, 5, style_dim=4)
    layer.noise_strength.data.fill_(0.3)
    x, w, noise = torch.randn(2, 3, 8, 8), torch.randn(2, 4), torch.randn(2, 1, 8, 8)
    got = layer(x, w, noise)
    for row in range(2):
        weight = layer.weight / math.sqrt(27) * layer.style(w[row : row + 1])[0][None, :, None, None]
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-6).sqrt()
        wanted = F.conv2d(x[row : row + 1], weight, padding=1) + 0.3 * noise[row]
        wanted = F.leaky_relu(wanted + layer.bias[:, None, None], 0.2) * math.sqrt(2)
        torch.testing.assert_close(got[row : row + 1], wanted, rtol=1e-4, atol=1e-5)


def test_baking_the_scale_into_the_weights_changes_nothing() -> None:
    torch.manual_seed(0)
    for layer, x in (
        (EqualisedLinear(6, 4, bias=0.5, gain=1.4, rate=0.01), torch.randn(3, 6)),
        (EqualisedConv(3, 4, 3), torch.randn(2, 3, 5, 5)),
    ):
        before = layer(x)
        layer.bake()
        torch.testing.assert_close(layer(x), before)
        layer.bake()
        torch.testing.assert_close(layer(x), before)


def test_pixel_norm_gives_unit_mean_square_and_deviation_sees_a_collapse() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 6, 3, 3)
    torch.testing.assert_close(pixel_norm(x).square().mean(1), torch.ones(4, 3, 3), rtol=1e-4, atol=1e-4)
    assert float(with_deviation(x)[0, -1, 0, 0]) > 0.5
    assert float(with_deviation(x[:1].expand(4, -1, -1, -1))[0, -1, 0, 0]) < 1e-3


def test_a_grown_level_fades_in_from_the_one_before() -> None:
    torch.manual_seed(0)
    generator, z = ProganGenerator(8, _WIDTHS), torch.randn(2, 8)
    older = F.interpolate(generator(z, 1), scale_factor=2.0, mode="nearest")
    torch.testing.assert_close(generator(z, 2, 1e-6), older, rtol=1e-4, atol=1e-4)
    assert generator(z, 2).shape == (2, 3, 16, 16)


def test_styles_are_mixed_from_the_layer_asked_for() -> None:
    torch.manual_seed(0)
    generator = StyleGenerator(8, 8, 2, _WIDTHS).eval()
    z, other = torch.randn(2, 8), torch.randn(2, 8)
    assert torch.equal(generator(z, other, 0), generator(other))  # noise has no strength yet
    assert torch.equal(generator(z, other, generator.synthesis.layers), generator(z))


def _colour(size: int, channels: int) -> tuple[Tensor, ...]:
    return (torch.randint(0, 256, (8, channels, size, size), dtype=torch.uint8),)


GAMES: dict[str, tuple[Callable[[], Any], Callable[[], tuple[Tensor, ...]]]] = {
    "dcgan": (
        lambda: DcganTraining(DcganGenerator(8, 16, 1, 8), DcganDiscriminator(16, 1, 8)),
        lambda: (torch.rand(8, 1, 16, 16) * 2 - 1,),
    ),
    "biggan": (
        lambda: BigganTraining(BigganGenerator(12, 3, 16, 1, 8), BigganDiscriminator(3, 1, 8), 3),
        lambda: (torch.rand(8, 1, 16, 16) * 2 - 1, torch.randint(3, (8,))),
    ),
    "progan": (
        lambda: ProganTraining(
            ProganGenerator(8, _WIDTHS), ProganDiscriminator(_WIDTHS), [Stage(1, 0.5, 0.2), Stage(2, 1.0, 0.2)]
        ),
        lambda: _colour(16, 3),
    ),
    "stylegan": (
        lambda: StyleTraining(StyleGenerator(8, 8, 2, _WIDTHS), StyleDiscriminator(_WIDTHS)),
        lambda: _colour(16, 3),
    ),
    "cyclegan": (
        lambda: CycleTraining(CycleGenerator(4, 1), CycleGenerator(4, 1), width=4),
        lambda: _colour(16, 3) + _colour(16, 3),
    ),
}


@pytest.mark.parametrize("kind", GAMES)
@pytest.mark.parametrize("progress", [0.05, 0.6])
def test_every_player_of_a_game_learns_from_a_step(kind: str, progress: float) -> None:
    torch.manual_seed(0)
    build, batch = GAMES[kind]
    training = build()
    before = {name: [p.clone() for p in module.parameters()] for name, module in training.modules.items()}
    for _ in range(2):
        losses = training.step(batch(), progress)
    assert all(math.isfinite(float(loss)) for loss in losses.values())
    for name, module in training.modules.items():
        moved = sum(not torch.equal(a, b) for a, b in zip(before[name], module.parameters(), strict=True))
        assert moved >= len(before[name]) // 2, f"{name} stands still"


def test_a_discriminator_learns_to_tell_real_from_made() -> None:
    torch.manual_seed(0)
    build, _ = GAMES["dcgan"]
    training = build()
    real = torch.zeros(32, 1, 16, 16)
    real[:, :, 4:12, 4:12] = 1
    for _ in range(30):
        training.step((real,), 0.0)
    training.discriminator.eval()
    noise = torch.rand(32, 1, 16, 16) * 2 - 1
    assert training.discriminator(real).mean() > training.discriminator(noise).mean()
