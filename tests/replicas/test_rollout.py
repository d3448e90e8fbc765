"""A rollout on a running cluster: what is as configured is left alone, what has changed is replaced."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.probe import write_probe_bundle

_SCRIPT = """
import asyncio, json, sys
from sextant.replicas.cluster import APP_PREFIX, Cluster
from sextant.replicas.config import ClusterConfig
from sextant.replicas import rollout
from ray import serve

async def settled(config):
    rollout.begin(config)
    while True:
        standings = rollout.standings(config)
        if {standing for standing, _ in standings.values()} == {rollout.Standing.RUNNING}:
            break
        await asyncio.sleep(0.2)
    found = {}
    for family, options in config.families.items():
        handle = serve.get_app_handle(APP_PREFIX + family).options(method_name="describe")
        seen = set()
        for _ in range(600):
            seen.add((await handle.remote())["replica"])
            if len(seen) >= options.replicas:
                break
            await asyncio.sleep(0.1)
        found[family] = sorted(seen)
    return found

async def main(path):
    steps = [ClusterConfig.model_validate(step) for step in json.load(open(path))]
    cluster = await Cluster.start(steps[0])
    told = [await settled(step) for step in steps]
    async with asyncio.timeout(90):  # what goes, goes in its own time
        while len(serve.status().applications) > len(steps[-1].families):
            await asyncio.sleep(0.2)
    told.append(sorted(serve.status().applications))
    print(json.dumps(told))
    await cluster.stop()

asyncio.run(main(sys.argv[1]))
"""


def replicas_after(tmp_path: Path, steps: list[dict]) -> list:
    """The replicas of each family after each configuration in turn, and the applications at the end."""
    write_probe_bundle(tmp_path / "bundles")
    place = {"bundle_directories": [str(tmp_path / "bundles")]}
    path = tmp_path / "steps.json"
    path.write_text(json.dumps([{"families": families, **place} for families in steps]))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    environment["PYTHONPATH"] += os.pathsep + os.environ.get("PYTHONPATH", "")
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(path)], env=environment, capture_output=True, text=True, timeout=250
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told: list = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("[{")))
    return told


def probe(**options) -> dict:
    return {"models": ["probe"], "implementation": "tests.probe:FAMILY", "num_cpus": 0, **options}


def test_a_rerun_replaces_only_what_has_changed(tmp_path):
    first, again, more, rolled, fewer, applications = replicas_after(
        tmp_path,
        [
            {"one": probe(), "two": probe()},
            {"one": probe(), "two": probe()},
            {"one": probe(replicas=2), "two": probe()},
            {"one": probe(replicas=2), "two": probe(revision="2")},
            {"two": probe(revision="2")},
        ],
    )
    assert again == first, "the same again is nothing new"
    assert set(more["one"]) > set(first["one"]), "another replica joins the one that runs"
    assert more["two"] == first["two"]
    assert rolled["two"] != first["two"], "another revision is another replica"
    assert rolled["one"] == more["one"]
    assert fewer["two"] == rolled["two"]
    assert applications == ["sextant-two"], "a family that is no longer named goes"
