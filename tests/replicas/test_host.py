"""A process's models, without Ray."""

import asyncio

import pytest

from sextant.bundles.store import BundleStore
from sextant.contract.errors import BundleRefused, Draining, ModelNotFound
from sextant.contract.events import Result
from sextant.contract.tasks import Request, Task, TaskKind, TextParameters
from sextant.replicas.config import FamilyConfig
from sextant.replicas.host import ModelHost
from tests.probe import write_probe_bundle


def request(model: str = "probe", steps: int = 5, prompt: str = "go", **rest) -> Request:
    task = Task(TaskKind.GENERATE, 1, prompt=prompt, parameters=TextParameters(max_tokens=steps))
    return Request("r", model, (task,), **rest)


@pytest.fixture
async def host(tmp_path):
    write_probe_bundle(tmp_path)
    config = FamilyConfig(models=("probe",), max_unsent_events=8)
    host = await ModelHost.load("tests.probe:FAMILY", config, BundleStore([tmp_path]))
    yield host
    await host.drain(1.0)


async def test_a_request_runs_to_its_result(host):
    bodies = [event.body async for batch in host.submit(request(steps=3)) for event in batch]
    assert isinstance(bodies[-1], Result)
    assert bodies[-1].usage.generated_tokens == 3


async def test_an_unknown_model_is_refused_by_name(host):
    with pytest.raises(ModelNotFound, match="nonesuch"):
        host.submit(request("nonesuch"))


async def test_a_damaged_bundle_is_not_served_and_the_others_are(tmp_path):
    write_probe_bundle(tmp_path)
    write_probe_bundle(tmp_path, "damaged").file("probe.json").write_bytes(b"{ }")
    config = FamilyConfig(models=("damaged", "probe"))
    host = await ModelHost.load("tests.probe:FAMILY", config, BundleStore([tmp_path]))
    assert set(host.offer.models) == {"probe"}
    assert set(host.offer.refused) == {"damaged"}
    with pytest.raises(ModelNotFound):
        host.submit(request("damaged"))
    await host.drain(1.0)


async def test_a_host_with_nothing_left_to_serve_does_not_start(tmp_path):
    write_probe_bundle(tmp_path).file("probe.json").write_bytes(b"{ }")
    with pytest.raises(BundleRefused):
        await ModelHost.load("tests.probe:FAMILY", FamilyConfig(models=("probe",)), BundleStore([tmp_path]))


async def test_a_reader_that_stops_bounds_what_is_made_for_it(host):
    stream = host.submit(request(steps=200))
    seen = len(await anext(stream))
    await asyncio.sleep(0.3)
    seen += len(await anext(stream))
    await asyncio.sleep(0.1)
    assert 8 <= seen <= 10, "not acknowledged: at most the bound, and what one step adds"
    stream.acknowledge(seen)
    assert len(await anext(stream)) > 0, "the reader is back: more is made"
    stream.close()


async def test_closing_a_stream_frees_its_slot(host):
    stream = host.submit(request(steps=100_000, prompt="sleep=0.001"))
    await anext(stream)
    stream.close()
    for _ in range(100):
        await asyncio.sleep(0.01)
        if host._runners["probe"].scheduler.idle():
            break
    assert host._runners["probe"].scheduler.idle()
    assert not host._runners["probe"].scheduler._sampler.held


async def test_draining_finishes_what_runs(host):
    stream = host.submit(request(steps=3, prompt="sleep=0.01"))
    draining = asyncio.create_task(host.drain(5.0))
    bodies = [event.body async for batch in stream for event in batch]
    await draining
    assert isinstance(bodies[-1], Result)


async def test_what_does_not_finish_in_time_is_told_so(host):
    stream = host.submit(request(steps=100_000))
    await host.drain(0.1)
    with pytest.raises(Draining):
        async for _ in stream:
            pass
    with pytest.raises(Draining):
        host.submit(request())
