"""The worked example of docs/hybrids.md, as it stands there."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from sextant.bundles.store import SHIPPED_DIRECTORY, BundleStore
from sextant.contract.errors import BundleRefused
from sextant.contract.media import Image, Latent
from sextant.contract.tasks import Task, TaskKind
from sextant.hybrids.hybrid import build_hybrid
from sextant.samples import sample
from tests.conftest import ROOT
from tests.hybrids.local import co_located, distributed, events_of, progress_of, results_of

PAGE = (ROOT / "docs" / "hybrids.md").read_text("utf-8")
NAME = "clothes-mended"
MODELS = {"vae": ["fashion-vae"], "diffusion": ["fashion-diffusion"]}


@pytest.fixture
def store(tmp_path: Path) -> BundleStore:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "model.toml").write_text(example, "utf-8")
    return BundleStore([tmp_path, SHIPPED_DIRECTORY])


async def test_the_example_changes_a_picture_and_decodes_a_latent(store):
    picture = Image(np.asarray(Pillow.open(sample("fashion-sneaker")).convert("L"))[..., None])
    asked = (
        Task(TaskKind.TRANSFORM, 1, source=picture, strength=0.5),
        Task(TaskKind.DECODE, 1, source=Latent("fashion-vae/z", np.zeros(16, np.float32))),
    )
    async with distributed(store, NAME, MODELS) as (apart, stages), co_located(store, NAME) as together:
        for task, steps in zip(asked, (10, 8), strict=True):
            events = await events_of(apart, NAME, [task])
            (result,) = results_of(events)
            assert isinstance(result.content, Image)
            assert result.content.pixels.shape == (28, 28, 1)
            assert len(progress_of(events)) == steps
            (same,) = results_of(await events_of(together, NAME, [task]))
            assert same.content.pixels.tobytes() == result.content.pixels.tobytes()
    asked_of = [(request.model, request.tasks[0].kind) for request in stages.requests]
    assert asked_of[:3] == [
        ("fashion-vae", TaskKind.ENCODE),
        ("fashion-vae", TaskKind.DECODE),
        ("fashion-diffusion", TaskKind.TRANSFORM),
    ]


def test_the_example_of_a_refusal_is_what_is_said(store):
    text = (store.find(NAME) / "model.toml").read_text()
    head, decode = text.split("[graph.decode]")
    decode = decode.replace('"fashion-vae"', '"faces-vae"').replace("fashion-vae/z", "faces-vae/z")
    (store.find(NAME) / "model.toml").write_text(head + "[graph.decode]" + decode)
    manifests = {name: store.manifest(name) for name in ("fashion-vae", "faces-vae", "fashion-diffusion")}
    with pytest.raises(BundleRefused) as refused:
        build_hybrid(store.manifest(NAME), manifests)
    assert str(refused.value) in PAGE
