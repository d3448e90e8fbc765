"""A VAE as it is trained and exported: what is served is what torch says."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sextant.contract.media import Image
from sextant.contract.tasks import Conditions, Task, TaskKind, VaeParameters
from sextant.families.onnx_export import rounded
from sextant.families.provenance import Provenance
from sextant.families.vae.export import export_vae
from sextant.families.vae.networks import Vae, discretised_logistic
from sextant.families.vae.sampler import VaeSampler
from sextant.runtime.rng import RequestRng
from sextant.runtime.session import SessionConfig
from tests.families.running import run_one

MADE = Provenance("Drawn at random", "a test")


@torch.no_grad()
def test_a_served_conditional_vae_scores_what_torch_says(tmp_path: Path) -> None:
    torch.manual_seed(1)
    vae = Vae(3, 8, 3, 2, 8)
    bundle = export_vae(vae, tmp_path, "cvae", architecture="cvae", classes=("Cat", "Dog"), provenance=MADE)
    levels = torch.randint(0, 256, (1, 3, 8, 8))
    picture = Image(levels[0].permute(1, 2, 0).numpy().astype(np.uint8))
    parameters, dog = VaeParameters(importance_samples=32), Conditions("dog")
    task = Task(TaskKind.SCORE, 7, source=picture, parameters=parameters, conditions=dog)
    found = run_one(VaeSampler.load(bundle, SessionConfig()), task).content

    plain, label = rounded(vae), torch.tensor([1])
    mean, log_variance = plain.encoder(levels / 255, label)
    noise = torch.from_numpy(np.stack([RequestRng(7).normal("score", j, (3,)) for j in range(32)]))
    z = mean + torch.exp(0.5 * log_variance) * noise
    means = plain.decoder(z, label.expand(32)).double()
    fit = discretised_logistic((levels / 255).double().expand(32, -1, -1, -1), means, vae.log_scale.double().exp())
    q = torch.distributions.Normal(mean, torch.exp(0.5 * log_variance))
    weights = fit + torch.distributions.Normal(0, 1).log_prob(z).sum(1) - q.log_prob(z).sum(1)
    expected = torch.logsumexp(weights, 0) - np.log(32)
    assert found.log_likelihood_nats == pytest.approx(float(expected), abs=0.01)
    assert found.dimensions == 192
