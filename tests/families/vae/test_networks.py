"""The VAE itself, in torch: a likelihood that is one, and a bound that training raises."""

import pytest
import torch

from sextant.families.vae.networks import Vae, discretised_logistic
from sextant.families.vae.train import VaeTraining


def test_the_likelihood_of_a_pixel_sums_to_one_over_its_256_values() -> None:
    values = (torch.arange(256, dtype=torch.float64) / 255)[:, None, None, None]
    for mean in (0.0, 0.02, 0.5, 0.97, 1.0):
        for scale in (0.002, 0.05, 0.5):
            logs = discretised_logistic(values, torch.tensor(mean).double(), torch.tensor(scale).double())
            torch.testing.assert_close(logs.exp().sum(), torch.ones((), dtype=torch.float64), rtol=1e-9, atol=0)


def test_training_raises_the_bound_and_fits_the_scale() -> None:
    torch.manual_seed(0)
    training = VaeTraining(Vae(4, 8, 1, 0, 8), rate=3e-3)
    shade = torch.rand(512, 1, 1, 1)
    pictures = (255 * shade * torch.linspace(0, 1, 8)[None, None, :, None].expand(512, 1, 8, 8)).byte()
    first = float(training.step((pictures[:64],), 0.0)["elbo"])
    for step in range(80):
        losses = training.step((pictures[torch.randint(512, (64,))],), step / 80)
    assert float(losses["elbo"]) > first + 20
    assert float(losses["scale"]) != pytest.approx(0.05, rel=0.02)  # where it began


def test_a_conditional_decoder_listens_to_its_label() -> None:
    torch.manual_seed(0)
    vae = Vae(4, 16, 1, 3, 8).eval()
    z = torch.randn(1, 4).expand(3, 4)
    made = vae.decoder(z, torch.arange(3))
    assert not torch.equal(made[0], made[1])
    assert not torch.equal(made[1], made[2])
