"""GPU pinning, with Ray's logical GPUs: a process of its own, since a process has one Ray."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import SOURCES
from tests.probe import write_probe_bundle

_SCRIPT = """
import asyncio, json, sys
from sextant.replicas.cluster import APP_PREFIX, Cluster, ClusterError
from sextant.replicas.config import ClusterConfig
from ray import serve

async def main(path):
    config = ClusterConfig.model_validate(json.load(open(path)))
    try:
        cluster = await Cluster.start(config, num_gpus=2)
    except ClusterError as error:
        print(json.dumps({"error": str(error)}))
        return
    seen = {}
    for family in config.families:
        handle = serve.get_app_handle(APP_PREFIX + family).options(method_name="describe")
        replicas = {}
        for _ in range(40):
            told = await handle.remote()
            replicas[told["replica"]] = told["cuda_visible_devices"]
        seen[family] = sorted(replicas.values())
    print(json.dumps(seen))
    await cluster.stop()

asyncio.run(main(sys.argv[1]))
"""


def pin(tmp_path: Path, families: dict) -> dict:
    """What each replica of each family sees as CUDA_VISIBLE_DEVICES on a node with two logical GPUs."""
    write_probe_bundle(tmp_path / "bundles")
    config = tmp_path / "cluster.json"
    config.write_text(json.dumps({"families": families, "bundle_directories": [str(tmp_path / "bundles")]}))
    environment = {**os.environ, "PYTHONPATH": SOURCES}
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(config)], env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr[-3000:]
    # Ray writes to stdout too.
    return json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))


def probe(**options) -> dict:
    return {"models": ["probe"], "implementation": "tests.probe:FAMILY", **options}


def test_gpu_replicas_are_pinned_fractions_share_and_cpu_replicas_see_none(tmp_path):
    seen = pin(
        tmp_path,
        {
            "whole": probe(num_gpus=1, providers=["cuda", "cpu"], num_cpus=0.1),
            "half": probe(num_gpus=0.5, providers=["cuda", "cpu"], replicas=2, num_cpus=0.1),
            "plain": probe(num_cpus=0.1),
        },
    )
    assert seen["plain"] == [""]
    assert len(seen["whole"]) == 1
    assert len(seen["half"]) == 2
    assert seen["half"][0] == seen["half"][1], "two halves share one GPU"
    assert {seen["whole"][0], seen["half"][0]} == {"0", "1"}, "a whole one is shared with no one"


def test_cuda_without_its_gpu_refuses_to_start_and_says_so(tmp_path, text_model):
    told = pin(tmp_path, {"transformer": {"models": [text_model.manifest.name], "num_gpus": 1, "providers": ["cuda"]}})
    assert "cuda without CPU fallback" in told["error"]
