"""A hybrid that is judged makes what its replicas would make, and is measured like any other model."""

import asyncio
import shutil

import numpy as np
import pytest

from sextant.bundles.store import SHIPPED_DIRECTORY, open_bundle
from sextant.contract.tasks import Conditions, DiffusionParameters, HybridParameters, Task, TaskKind
from sextant.zoo.evaluate.report import measure_speed
from sextant.zoo.evaluate.served import Served, pixels_of
from tests.hybrids.local import co_located, events_of, results_of
from tests.hybrids.test_refined import STORE

HYBRID = "fashion-refined"


@pytest.fixture(scope="module")
def served() -> Served:
    return Served(open_bundle(SHIPPED_DIRECTORY / HYBRID))


async def replica_makes(tasks: list[Task]) -> list[bytes]:
    async with co_located(STORE, HYBRID) as replica:
        return [result.content.pixels.tobytes() for result in results_of(await events_of(replica, HYBRID, tasks))]


def judged(tasks: list[Task]) -> list[bytes]:
    served = Served(open_bundle(SHIPPED_DIRECTORY / HYBRID))
    return [pixels_of(result).tobytes() for result in served.results(tasks)]


async def test_a_hybrid_is_judged_by_the_bytes_that_its_replica_would_answer_with():
    tasks = [Task(TaskKind.GENERATE, 3, index, conditions=Conditions("bag")) for index in range(3)]
    expected = await replica_makes(tasks)
    # The other way round: what is asked for first has no say.
    made = await asyncio.to_thread(judged, tasks[::-1])
    assert made[::-1] == expected


def test_a_hybrids_manifest_tells_what_follows_from_its_stages(served):
    assert served.manifest.network["height"] == 28
    assert "bag" in served.manifest.network["classes"]


def test_previews_of_a_hybrid_are_those_of_its_long_stage(served):
    given = HybridParameters({"refine": DiffusionParameters(steps=8, preview_every_steps=1)})
    shown = served.previews(Task(TaskKind.GENERATE, 3, parameters=given))
    assert len(shown) == 4  # half of the steps, as the draft is half of the way
    assert all(np.ptp(picture.pixels) > 0 for picture in shown)


def test_a_hybrids_speed_goes_into_its_manifest_and_its_graph_stays(tmp_path):
    shutil.copytree(SHIPPED_DIRECTORY / HYBRID, tmp_path / HYBRID)
    (latency,) = measure_speed(tmp_path / HYBRID)
    after = open_bundle(tmp_path / HYBRID).manifest
    assert latency.name == "latency"
    assert latency in after.measurements
    assert after.graph == open_bundle(SHIPPED_DIRECTORY / HYBRID).manifest.graph
