"""Flows as they are trained and exported: what is served is what torch says, Jacobian and all."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sextant.contract.media import Image, Table
from sextant.contract.tasks import Conditions, Task, TaskKind
from sextant.families.flow.export import export_glow, export_real_nvp, fixed
from sextant.families.flow.networks import Glow, RealNvp
from sextant.families.flow.sampler import FlowSampler
from sextant.families.onnx_export import rounded
from sextant.families.provenance import Provenance
from sextant.runtime.rng import RequestRng
from sextant.runtime.session import SessionConfig
from tests.families.running import run_one

MADE = Provenance("Drawn at random", "a test")


def stirred(flow: Any) -> Any:
    """Weights that are not those of the identity, as they would be after training."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return flow.eval()


def log_density(flow: Any, x: torch.Tensor) -> float:
    """log p(x[1, ...]) from the whole Jacobian, in float64."""
    flow = flow.double()
    jacobian = torch.autograd.functional.jacobian(lambda flat: flow(flat.reshape(x.shape))[0][0], x.flatten().double())
    z = flow(x.double())[0]
    return float(torch.linalg.slogdet(jacobian)[1] - 0.5 * (z**2 + np.log(2 * np.pi)).sum())


def test_a_served_real_nvp_scores_what_autograd_says(tmp_path: Path) -> None:
    flow = stirred(RealNvp(3, 4, 8))
    flow.mean.copy_(torch.tensor([10.0, 0.0, -5.0]))
    flow.deviation.copy_(torch.tensor([3.0, 0.1, 1.0]))
    rows = flow.mean + flow.deviation * torch.randn(8, 3)
    bundle = export_real_nvp(flow, rows, tmp_path, "nvp", columns=("a", "b", "c"), provenance=MADE)
    sampler = FlowSampler.load(bundle, SessionConfig())
    table = Table(("a", "b", "c"), rows.numpy())
    likelihood = run_one(sampler, Task(TaskKind.SCORE, 0, source=table)).content
    expected = sum(log_density(rounded(flow), row[None]) for row in rows)
    assert likelihood.log_likelihood_nats == pytest.approx(expected, rel=1e-4)
    latent = run_one(sampler, Task(TaskKind.ENCODE, 0, source=table)).content
    back = run_one(sampler, Task(TaskKind.DECODE, 0, source=latent)).content
    np.testing.assert_allclose(back.values, rows, rtol=1e-4, atol=1e-4)


def test_a_served_glow_scores_what_autograd_says_and_gives_the_very_pixels_back(tmp_path: Path) -> None:
    flow = stirred(Glow(4, 3, 2, 8))
    torch.manual_seed(2)
    pixels = torch.randint(64, 192, (8, 3, 4, 4)).float()
    directions = {"red": np.linspace(-1, 1, 48).astype(np.float32)}
    bundle = export_glow(flow, pixels + 0.5, tmp_path, "glow", attributes=directions, temperature=0.7, provenance=MADE)
    sampler = FlowSampler.load(bundle, SessionConfig())
    picture = Image(pixels[0].permute(1, 2, 0).numpy().astype(np.uint8))
    likelihood = run_one(sampler, Task(TaskKind.SCORE, 0, source=picture)).content
    noise = torch.from_numpy(RequestRng(0).uniform("dequantise", shape=(3, 4, 4)))
    assert likelihood.log_likelihood_nats == pytest.approx(log_density(fixed(flow), pixels[:1] + noise), rel=1e-4)
    latent = run_one(sampler, Task(TaskKind.ENCODE, 0, source=picture)).content
    back = run_one(sampler, Task(TaskKind.DECODE, 0, source=latent)).content
    np.testing.assert_array_equal(back.pixels, picture.pixels)
    moving = Task(TaskKind.TRANSFORM, 0, source=picture, conditions=Conditions(attributes={"red": "0.1"}))
    moved = run_one(sampler, moving).content
    again = run_one(sampler, Task(TaskKind.ENCODE, 0, source=moved)).content
    along = np.dot(again.mean - latent.mean, directions["red"]) / np.square(directions["red"]).sum()
    assert along == pytest.approx(0.1, abs=0.005)
