"""The flows that ship: densities that are densities, codes without loss, on real data."""

import numpy as np
import pytest

from sextant.bundles.store import SHIPPED_DIRECTORY, open_bundle
from sextant.contract.media import Image, Latent, Table
from sextant.contract.tasks import Task, TaskKind
from sextant.families.family import FAMILIES, family_at
from sextant.families.row_network import RowNetwork
from sextant.runtime.session import SessionConfig
from tests.conftest import ROOT
from tests.families.running import run_all

FASHION = np.load(ROOT / "tests/data/fashion.npz")["images"]
SHUTTLE = np.load(ROOT / "tests/data/shuttle.npz")


def sampler(name: str):
    return family_at(FAMILIES["flow"]).load(open_bundle(SHIPPED_DIRECTORY / name), SessionConfig())


def networks(name: str) -> tuple[RowNetwork, RowNetwork]:
    bundle = open_bundle(SHIPPED_DIRECTORY / name)
    forward, inverse = (RowNetwork(bundle.file(f"{way}.onnx"), SessionConfig()) for way in ("forward", "inverse"))
    return forward, inverse


def test_the_density_in_the_plane_integrates_to_one():
    forward, _ = networks("moons-realnvp")
    x, y = np.linspace(-2.5, 3.5, 301), np.linspace(-2.0, 2.5, 226)
    points = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2).astype(np.float32)
    mapped = forward.run({"x": points})
    nats = mapped["log_det"] - 0.5 * (mapped["z"].astype(float) ** 2 + np.log(2 * np.pi)).sum(1)
    density = np.exp(nats).reshape(len(y), len(x))
    assert np.trapezoid(np.trapezoid(density, x, axis=1), y) == pytest.approx(1, abs=0.01)
    served = run_all(sampler("moons-realnvp"), [Task(TaskKind.SCORE, 0, source=Table(("x", "y"), points[:50]))])
    assert served[0].content.log_likelihood_nats == pytest.approx(nats[:50].sum(), abs=1e-2)


def test_real_pictures_come_back_to_a_ten_thousandth_and_to_the_very_levels():
    forward, inverse = networks("fashion-glow")
    x = FASHION[:100].transpose(0, 3, 1, 2).astype(np.float32) + np.float32(0.5)
    back = inverse.run({"z": forward.run({"x": x})["z"]})["x"]
    assert np.abs(back - x).max() / 256 <= 1e-4
    glow = sampler("fashion-glow")
    codes = run_all(glow, [Task(TaskKind.ENCODE, 0, n, source=Image(image)) for n, image in enumerate(FASHION[:100])])
    pictures = run_all(glow, [Task(TaskKind.DECODE, 0, n, source=code.content) for n, code in enumerate(codes)])
    assert all((made.content.pixels == given).all() for made, given in zip(pictures, FASHION, strict=False))


def test_real_rows_come_back_to_a_ten_thousandth_of_their_range():
    rows = SHUTTLE["values"][~SHUTTLE["anomalous"]]
    flow, columns = sampler("shuttle-realnvp"), tuple(f"sensor_{n}" for n in range(1, 10))
    (code,) = run_all(flow, [Task(TaskKind.ENCODE, 0, source=Table(columns, rows))])
    assert isinstance(code.content, Latent)
    (back,) = run_all(flow, [Task(TaskKind.DECODE, 0, source=code.content)])
    assert (np.abs(back.content.values - rows) / np.ptp(rows, axis=0)).max() <= 1e-4


def test_likelihoods_tell_real_pictures_from_noise_and_rows_from_anomalies():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (20, 28, 28, 1), np.uint8)
    tasks = [Task(TaskKind.SCORE, 0, source=Image(image)) for image in (*FASHION[:20], *noise)]
    nats = [result.content.log_likelihood_nats for result in run_all(sampler("fashion-glow"), tasks)]
    assert min(nats[:20]) > max(nats[20:])
