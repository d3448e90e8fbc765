"""The figures, as Prometheus scrapes them."""

import asyncio
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator

import grpc
import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

import sextant
from sextant.contract import media
from sextant.contract.events import Result, Usage
from sextant.contract.v1 import generation_pb2, generation_pb2_grpc
from sextant.gateway.metrics import observe_offer, serve_metrics
from tests.conftest import free_port
from tests.gateway.scripted import ScriptedDispatcher, answering, serving
from tests.gateway.test_guide import MODELS


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    port = free_port()
    serve_metrics(f"127.0.0.1:{port}")
    return f"http://127.0.0.1:{port}/metrics"


Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(url: str) -> Samples:
    """Every sample of a page, by name and labels."""
    with urllib.request.urlopen(url, timeout=5) as page:
        families = list(text_string_to_metric_families(page.read().decode()))
    assert all(family.documentation for family in families)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def sample(samples: Samples, name: str, **labels: str) -> float:
    """One sample; 0 where it was never counted."""
    return samples.get((name, frozenset(labels.items())), 0.0)


async def generate(model: str = "") -> None:
    script = answering(Result(0, media.Text("hi"), usage=Usage(3, 4, 5)))
    async with serving(ScriptedDispatcher(MODELS, script)) as (channel, _):
        request = generation_pb2.GenerateRequest(options=generation_pb2.Options(model=model), prompt="x")
        assert [event async for event in generation_pb2_grpc.GenerationStub(channel).Generate(request)]


async def test_a_request_is_counted_with_what_it_took(url):
    place = {"task": "generate", "family": "transformer", "model": "llm"}
    method = {"method": "sextant.v1.Generation.Generate"}
    before = await asyncio.to_thread(scrape, url)
    await generate()
    after = await asyncio.to_thread(scrape, url)

    def grown(name: str, **labels: str) -> float:
        return sample(after, name, **labels) - sample(before, name, **labels)

    assert grown("sextant_requests_total", **place, code="OK") == 1
    for name in ("request", "queue", "first_event"):
        assert grown(f"sextant_{name}_seconds_count", **place) == 1
    assert grown("sextant_items_total", **place) == 1
    assert grown("sextant_steps_total", **place) == 3
    assert grown("sextant_tokens_total", model="llm", kind="prompt") == 4
    assert grown("sextant_tokens_total", model="llm", kind="generated") == 5
    assert grown("sextant_route_decisions_total", rule="text", model="llm") == 1
    assert grown("sextant_sent_bytes_total", **method) > grown("sextant_received_bytes_total", **method) > 0
    assert sample(after, "sextant_requests_in_flight", task="generate") == 0
    assert sample(after, "sextant_build_info", version=sextant.__version__) == 1
    assert sample(after, "process_resident_memory_bytes") > 0


async def test_names_that_callers_make_up_do_not_become_labels(url):
    for name in ("made-up-one", "made-up-two"):
        with pytest.raises(grpc.aio.AioRpcError):
            await generate(name)
    samples = await asyncio.to_thread(scrape, url)
    assert not any("made-up" in value for _, labels in samples for _, value in labels)
    unknown = {"task": "generate", "family": "unknown", "model": "unknown"}
    assert sample(samples, "sextant_requests_total", **unknown, code="NOT_FOUND") >= 2


async def test_ready_is_one_while_serving_and_zero_from_the_drain_on():
    async with serving(ScriptedDispatcher(MODELS, answering())) as (_, gateway):
        async with asyncio.timeout(2):
            while REGISTRY.get_sample_value("sextant_ready") != 1:
                await asyncio.sleep(0.01)
        await gateway.drain()
        assert REGISTRY.get_sample_value("sextant_ready") == 0


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
async def test_promtool_finds_nothing_to_say(url):
    await generate()

    def check() -> subprocess.CompletedProcess[bytes]:
        with urllib.request.urlopen(url, timeout=5) as page:
            return subprocess.run(["promtool", "check", "metrics"], input=page.read(), capture_output=True)

    checked = await asyncio.to_thread(check)
    assert checked.returncode == 0, checked.stdout + checked.stderr


async def test_a_family_that_has_lost_its_replicas_counts_as_zero_and_a_refused_bundle_is_told(url):
    families: set[str] = set()
    observe_offer(MODELS, {"damaged": "wrong sha256"}, families)
    before = await asyncio.to_thread(scrape, url)
    assert sample(before, "sextant_served_models", family="transformer") > 0
    assert sample(before, "sextant_refused_bundles", model="damaged") == 1
    observe_offer({}, {}, families)
    after = await asyncio.to_thread(scrape, url)
    assert ("sextant_served_models", frozenset({("family", "transformer")})) in after
    assert sample(after, "sextant_served_models", family="transformer") == 0
