"""Spans from the caller's traceparent to a replica's steps, as a collector gets them."""

import asyncio
from collections.abc import Iterator

import grpc
import pytest

from sextant.bundles.store import BundleStore
from sextant.contract.v1 import generation_pb2, generation_pb2_grpc
from sextant.gateway.local_dispatch import LocalDispatcher
from sextant.replicas.config import FamilyConfig
from sextant.replicas.host import ModelHost
from sextant.replicas.tracing import Span, begin, start_tracing, stop_tracing
from tests.collector import Collector, collecting
from tests.e2e.conftest import probe_request
from tests.gateway.conftest import dispatcher  # noqa: F401 - the probe on a host
from tests.gateway.scripted import serving

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        start_tracing("tests", collector.endpoint)
        yield collector
        stop_tracing()


async def generated(dispatcher, request, **metadata: str) -> None:  # noqa: F811
    """One call to its end, and its spans sent."""
    async with serving(dispatcher) as (channel, _):
        stub = generation_pb2_grpc.GenerationStub(channel)
        try:
            async for _ in stub.Generate(request, metadata=tuple(metadata.items())):
                pass
        except grpc.aio.AioRpcError:
            pass
    await asyncio.to_thread(stop_tracing)


async def test_a_call_is_one_trace_from_the_caller_s_span_to_every_item_s_steps(dispatcher, collector):  # noqa: F811
    request = probe_request("sleep=0.005", steps=5)
    request.count = 2
    await generated(dispatcher, request, traceparent=f"00-{TRACE}-{CALLER}-01")
    (call,), (decide,), (run,) = (collector.named(name) for name in ("generate", "decide", "run probe"))
    assert {span.trace_id for span in collector.spans} == {TRACE}
    assert (call.parent_id, decide.parent_id, run.parent_id) == (CALLER, call.span_id, call.span_id)
    assert (call.attributes["sextant.model"], call.attributes["sextant.code"]) == ("probe", "OK")
    assert decide.attributes["sextant.model"] == "probe"
    assert set(run.events) == {"steps"}
    steps = {span.attributes["sextant.item"]: span for span in collector.named("steps")}
    queues = {span.attributes["sextant.item"]: span for span in collector.named("queue")}
    assert steps.keys() == queues.keys() == {0, 1}
    for span in steps.values():
        assert span.parent_id == run.span_id
        assert span.attributes["sextant.steps"] == 5
        assert span.end_ns - span.start_ns >= 5 * 0.005e9
        assert call.start_ns <= span.start_ns <= span.end_ns <= call.end_ns
    for item, queue in queues.items():
        assert queue.start_ns <= queue.end_ns == steps[item].start_ns


async def test_a_call_without_a_traceparent_begins_a_trace_and_a_broken_one_is_none(dispatcher, collector):  # noqa: F811
    await generated(dispatcher, probe_request(steps=1), traceparent="00-nonsense")
    (call,) = collector.named("generate")
    assert call.parent_id == ""
    assert call.trace_id != TRACE


async def test_what_the_caller_does_not_sample_is_not_sampled_here(dispatcher, collector):  # noqa: F811
    await generated(dispatcher, probe_request(steps=1), traceparent=f"00-{TRACE}-{CALLER}-00")
    assert collector.spans == []


async def test_a_failure_is_told_of_the_call_and_of_the_run(dispatcher, collector):  # noqa: F811
    await generated(dispatcher, probe_request("refuse"))
    (call,), (run,) = collector.named("generate"), collector.named("run probe")
    assert call.failed
    assert run.failed
    assert call.attributes["sextant.code"] == "INVALID_ARGUMENT"


async def test_the_stages_of_a_hybrid_are_runs_within_its_run(collector):
    config = FamilyConfig(models=("fashion-refined",), co_located=True)
    host = await ModelHost.load("hybrid", config, BundleStore.default())
    stages = {"refine": generation_pb2.StageParameters(diffusion=generation_pb2.DiffusionParameters(steps=2))}
    request = generation_pb2.GenerateRequest(
        options=generation_pb2.Options(model="fashion-refined", seed=1),
        hybrid=generation_pb2.HybridParameters(stages=stages),
    )
    await generated(LocalDispatcher(host), request)
    await host.drain(1.0)
    (whole,) = collector.named("run fashion-refined")
    for stage in ("fashion-cvae", "fashion-diffusion"):
        (run,) = collector.named(f"run {stage}")
        assert run.parent_id == whole.span_id


async def test_nothing_is_traced_unless_it_is_asked_for(dispatcher):  # noqa: F811
    assert begin("x") == Span()
    assert Span().traceparent == ""
    await generated(dispatcher, probe_request(steps=1), traceparent=f"00-{TRACE}-{CALLER}-01")
