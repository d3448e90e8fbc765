"""Canaries and shadows through a real gateway: who answers, what the metrics tell, and that nobody waits for it."""

import asyncio

import numpy as np
import pytest
from prometheus_client import REGISTRY

from sextant.contract.events import Estimator, Event, Likelihood, Result
from sextant.contract.media import Image
from sextant.contract.v1 import generation_pb2, generation_pb2_grpc, media_pb2
from tests.e2e.test_one_step import picture
from tests.gateway.scripted import ScriptedDispatcher, serving
from tests.gateway.test_guide import MODELS

GUIDE = """rows:
  - name: {name}
    task: generate
    output: image
    families: [diffusion]
    reason: because
    {kind}: {{model: stylegan, share: 1.0}}
  - name: {name}-score
    task: score
    families: [vae]
    reason: because
    shadow: {{model: glow, share: 1.0}}
"""


def written(tmp_path, name: str, kind: str = "shadow"):
    path = tmp_path / "guide.yaml"
    path.write_text(GUIDE.format(name=name, kind=kind))
    return path


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def outcomes(rule: str, shadow: str = "stylegan") -> dict[str, float]:
    kinds = ("same", "different", "failed", "dropped")
    found = {k: sample("sextant_shadow_requests_total", rule=rule, model=shadow, outcome=k) for k in kinds}
    return {kind: count for kind, count in found.items() if count}


async def settled(rule: str, shadow: str = "stylegan") -> dict[str, float]:
    async with asyncio.timeout(30):
        while not (found := outcomes(rule, shadow)):
            await asyncio.sleep(0.01)
    return found


def painting(shade_of: dict[str, int]):
    """A script in which every model paints a picture of its own shade; None fails."""

    async def script(request, stats):
        stats.started_s = 0.0
        yield ()
        shade = shade_of.get(request.model, 0)
        if shade < 0:
            raise RuntimeError("a broken model")
        yield (Event(0, Result(0, Image(np.full((4, 4, 1), shade, np.uint8)))),)

    return script


async def ask(channel) -> generation_pb2.Receipt:
    request = generation_pb2.GenerateRequest(output=media_pb2.MODALITY_IMAGE)
    request.options.seed = 3
    events = [event async for event in generation_pb2_grpc.GenerationStub(channel).Generate(request)]
    return events[-1].receipt


@pytest.mark.parametrize(
    ("name", "shades", "outcome"),
    [
        ("alike", {"ddpm": 7, "stylegan": 7}, "same"),
        ("unlike", {"ddpm": 7, "stylegan": 8}, "different"),
        ("broken", {"ddpm": 7, "stylegan": -1}, "failed"),
    ],
)
async def test_a_shadow_answers_unheard_and_the_metrics_compare(tmp_path, name, shades, outcome):
    dispatcher = ScriptedDispatcher(MODELS, painting(shades))
    async with serving(dispatcher, guide=written(tmp_path, name)) as (channel, _):
        receipt = await ask(channel)
        assert receipt.model == "ddpm"
        assert await settled(name) == {outcome: 1.0}
    assert [request.model for request in dispatcher.requests] == ["ddpm", "stylegan"]
    assert [task.seed for request in dispatcher.requests for task in request.tasks] == [3, 3]
    timed = sample("sextant_shadow_seconds_count", rule=name, model="stylegan", role="shadow")
    assert timed == (0.0 if outcome == "failed" else 1.0)


async def test_a_shadow_is_dropped_while_someone_waits_and_never_delays_an_answer(tmp_path):
    release = asyncio.Event()

    async def script(request, stats):
        stats.started_s = 0.0
        yield ()
        if request.tasks[0].seed == 99:
            await release.wait()
        yield (Event(0, Result(0, Image(np.zeros((4, 4, 1), np.uint8)))),)

    dispatcher = ScriptedDispatcher(MODELS, script)
    async with serving(dispatcher, guide=written(tmp_path, "busy")) as (channel, _):
        slow = generation_pb2.GenerateRequest(output=media_pb2.MODALITY_IMAGE)
        slow.options.seed = 99
        waiting = generation_pb2_grpc.GenerationStub(channel).Generate(slow)
        await waiting.read()
        await ask(channel)
        assert await settled("busy") == {"dropped": 1.0}
        release.set()
        while not (event := await waiting.read()).HasField("receipt"):
            pass
        assert event.receipt.model == "ddpm"


async def test_a_shadow_gives_up_when_someone_comes(tmp_path):
    started, release = asyncio.Event(), asyncio.Event()

    async def script(request, stats):
        stats.started_s = 0.0
        yield ()
        if request.model == "stylegan":
            started.set()
            await release.wait()
        yield (Event(0, Result(0, Image(np.zeros((4, 4, 1), np.uint8)))),)

    dispatcher = ScriptedDispatcher(MODELS, script)
    async with serving(dispatcher, guide=written(tmp_path, "late")) as (channel, _):
        await ask(channel)
        await asyncio.wait_for(started.wait(), 30)
        held = asyncio.Event()

        async def hold():
            request = generation_pb2.GenerateRequest(output=media_pb2.MODALITY_IMAGE)
            call = generation_pb2_grpc.GenerationStub(channel).Generate(request)
            await call.read()
            release.set()
            await held.wait()
            call.cancel()

        dispatcher._script = _holding(script)
        holding = asyncio.create_task(hold())
        assert set(await settled("late")) == {"dropped"}
        held.set()
        await holding


def _holding(script):
    async def holding(request, stats):
        if request.model == "stylegan":
            async for batch in script(request, stats):
                yield batch
            return
        yield ()
        await asyncio.Event().wait()

    return holding


async def test_a_shadow_that_scores_tells_how_many_bits_more_it_takes(tmp_path):
    async def script(request, stats):
        stats.started_s = 0.0
        yield ()
        nats = -100.0 if request.model == "beta-vae" else -80.0
        yield (Event(0, Result(0, Likelihood(nats, 16, Estimator.LOWER_BOUND))),)

    async with serving(ScriptedDispatcher(MODELS, script), guide=written(tmp_path, "bits")) as (channel, _):
        request = generation_pb2.ScoreRequest(items=[picture(np.zeros((4, 4, 1), np.uint8))])
        answer = await generation_pb2_grpc.GenerationStub(channel).Score(request)
        assert answer.receipt.model == "beta-vae"
        assert await settled("bits-score", "glow") == {"different": 1.0}
    told = {"rule": "bits-score", "model": "glow"}
    name = "sextant_shadow_extra_bits_per_dimension"  # 20 nats fewer for 16 pixels are 1.8 bits fewer for each
    assert sample(f"{name}_bucket", le="-1.0", **told) == sample(f"{name}_count", **told) == 1.0


async def test_a_canary_answers_in_the_place_of_the_models_of_its_row_and_says_so(tmp_path):
    dispatcher = ScriptedDispatcher(MODELS, painting({}))
    async with serving(dispatcher, guide=written(tmp_path, "canary", "canary")) as (channel, _):
        receipt = await ask(channel)
    assert receipt.model == "stylegan"
    assert receipt.decision.canary
    assert sample("sextant_canary_decisions_total", rule="canary", model="stylegan") == 1.0
