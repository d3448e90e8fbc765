"""Receipts of every family outlive the platform: stopped and started anew, it makes the same bytes from them again."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from sextant.bundles.store import SHIPPED_DIRECTORY, open_bundle
from sextant.cli.listening import is_ready
from sextant.client import Client, DeadlineExceeded, Unsupported, as_line, as_picture
from sextant.contract.media import Image, Modality, Table
from sextant.contract.tasks import Conditions, GanParameters, TaskKind
from tests.conftest import SENTENCE_MODEL, SOURCES, TEXT_MODEL, free_port, shipped_models

# Minutes, and more of them where others use the machine too.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

BUNDLES = {path.name: open_bundle(path).manifest for path in sorted(SHIPPED_DIRECTORY.iterdir()) if path.is_dir()}


def environment(home: Path, **variables: str) -> dict[str, str]:
    # Packages that were put beside the environment come along.
    path = os.pathsep.join(filter(None, (SOURCES, os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "SEXTANT_STATE_DIR": str(home / "state"), **variables}


def sextant(home: Path, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sextant", *map(str, arguments)]
    return subprocess.run(command, env=environment(home, **variables), capture_output=True, text=True, timeout=600)


@contextmanager
def platform(home: Path, families: dict[str, dict[str, Any]], **variables: str) -> Iterator[str]:
    """A platform from `sextant up` to `sextant down`, and where it listens."""
    (home / "cluster.yaml").write_text(yaml.safe_dump({"families": families, "replica_metrics_port": 9700}))
    port, metrics = free_port(), free_port()
    place = ("--config", str(home / "cluster.yaml"), "--port", str(port), "--metrics-port", str(metrics))
    with (home / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "sextant", "up", *place],
            env=environment(home, **variables),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        end = time.monotonic() + 600
        while not is_ready(f"http://127.0.0.1:{metrics}/metrics"):
            assert process.poll() is None, (home / "up.log").read_text()[-2000:]
            assert time.monotonic() < end
            time.sleep(0.5)
        yield f"127.0.0.1:{port}"
    finally:
        assert sextant(home, "down").returncode == 0
        process.wait(60)


def every_family(**of_hybrids: object) -> dict[str, dict[str, Any]]:
    """All models that ship, and two that are pulled."""
    families: dict[str, dict[str, Any]] = {
        family: {"models": models, "num_cpus": 0} for family, models in shipped_models().items()
    }
    families["transformer"]["models"] += [TEXT_MODEL, SENTENCE_MODEL]
    families["hybrid"] |= of_hybrids
    return families


def ask_everything(client: Client) -> None:
    """Every task of every model that ships, as far as it takes pictures, rows or words; and by way of the guide."""
    client.generate_text("Tell me a story.", model=TEXT_MODEL, max_tokens=24, temperature=0.8).read()
    client.encode(["one", "two"], model=SENTENCE_MODEL)
    client.score(["The sky is blue."], model=TEXT_MODEL)
    for name, manifest in BUNDLES.items():
        made = None
        # What makes latents of latents is asked through the hybrids that it is a stage of.
        if TaskKind.GENERATE in manifest.tasks and manifest.outputs != (Modality.LATENT,):
            prompt = "smile" if Modality.TEXT in manifest.inputs else None
            made = client.generate(prompt, model=name, count=1 if prompt else 2).read().media[0]
        if not isinstance(made, Image | Table):
            continue
        conditions = Conditions(class_label="bag" if manifest.network.get("classes") else "")
        if TaskKind.ENCODE in manifest.tasks and manifest.family != "gan":
            latents = client.latents([made], model=name, conditions=conditions)
            if TaskKind.DECODE in manifest.tasks:
                client.decode(latents, model=name, conditions=conditions)
        if TaskKind.SCORE in manifest.tasks:
            client.score([made], model=name, conditions=conditions)
        if TaskKind.INTERPOLATE in manifest.tasks:
            client.interpolate(model=name, frames=4).read()
        if name == "fashion-diffusion":
            client.transform(as_picture(made), model=name, strength=0.5).read()
    # Edits of attributes and translations want to be told which.
    boot = client.generate(model="fashion-dcgan").read().pictures[0]
    client.encode_stream([boot], model="fashion-dcgan", gan=GanParameters(inversion_steps=20)).read()
    noto = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    client.transform(
        noto, model="emoji-cyclegan", conditions=Conditions(attributes={"direction": "noto-to-fluent"})
    ).read()
    # One of these leaves less time than the usual way of a diffusion model takes, or more; whichever the machine is.
    for timeout in (0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 1.0, 2.0, 4.0, 8.0):
        with suppress(DeadlineExceeded, Unsupported):
            sneaker = Conditions(class_label="sneaker")
            client.generate(output="image", priority="quality", conditions=sneaker, timeout=timeout).read()
    client.generate(intent="a quick picture of a boot").read()


def test_receipts_of_every_family_are_made_again_with_the_same_bytes_after_a_full_restart(tmp_path):
    """Hybrids run distributed the first time and in one process the second."""
    file = tmp_path / "receipts.jsonl"
    kept = []
    with platform(tmp_path, every_family()) as target, Client(target, keep=kept.append) as client:
        ask_everything(client)
    families = {name: manifest.family for name, manifest in BUNDLES.items()} | {TEXT_MODEL: "transformer"}
    asked = Counter((families.get(a.receipt.model, "transformer"), a.WhichOneof("request")) for a in kept)
    assert {family for family, _ in asked} == {*families.values()}
    assert {kind for _, kind in asked} == {
        *("generate", "transform", "interpolate", "encode", "encode_stream", "decode", "score")
    }
    assert any(answer.receipt.tier.set_for_deadline for answer in kept)
    assert any(answer.receipt.decision.HasField("understood") for answer in kept)
    file.write_text("".join(map(as_line, kept)))
    with platform(tmp_path, every_family(co_located=True)) as target:
        replayed = sextant(tmp_path, "replay", file, "--json", "--target", target)
    verdicts = [json.loads(line) for line in replayed.stdout.splitlines()]
    assert [verdict for verdict in verdicts if not verdict["same"]] == []
    assert len(verdicts) == len(kept)
    assert replayed.returncode == 0
