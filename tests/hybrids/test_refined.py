"""The hybrid that ships: a VAE draws and a diffusion model refines, in one process or in two, with the same bytes."""

import asyncio

import pytest

from sextant.bundles.store import SHIPPED_DIRECTORY, BundleStore
from sextant.contract.errors import InvalidRequest
from sextant.contract.tasks import Conditions, DiffusionParameters, HybridParameters, Request, Task, TaskKind
from sextant.gateway.dispatch import StreamStats
from tests.hybrids.local import co_located, distributed, events_of, progress_of, results_of

HYBRID = "fashion-refined"
MODELS = {"vae": ["fashion-cvae"], "diffusion": ["fashion-diffusion"]}
STORE = BundleStore([SHIPPED_DIRECTORY])


def tasks(count: int = 1, label: str = "", **parameters) -> list[Task]:
    given = HybridParameters({"refine": DiffusionParameters(**parameters)}) if parameters else None
    conditions = Conditions(class_label=label)
    return [Task(TaskKind.GENERATE, 11, index=i, conditions=conditions, parameters=given) for i in range(count)]


def bytes_of(events) -> list[bytes]:
    return [result.content.pixels.tobytes() for result in results_of(events)]


async def test_co_located_and_distributed_give_the_same_bytes_and_the_same_events():
    async with distributed(STORE, HYBRID, MODELS) as (dispatcher, _), co_located(STORE, HYBRID) as together:
        asked = tasks(3, preview_every_steps=2)
        apart, joined = await events_of(dispatcher, HYBRID, asked), await events_of(together, HYBRID, asked)
    assert bytes_of(apart) == bytes_of(joined)
    for item in range(3):
        shown = [[p.preview and p.preview.pixels.tobytes() for p in progress_of(e, item)] for e in (apart, joined)]
        assert shown[0] == shown[1]
        assert any(shown[0])


async def test_a_picture_is_the_same_alone_and_among_others():
    async with distributed(STORE, HYBRID, MODELS) as (dispatcher, _):
        alone = await events_of(dispatcher, HYBRID, tasks(1))
        several = await asyncio.gather(*(events_of(dispatcher, HYBRID, tasks(3)) for _ in range(3)))
    assert {bytes_of(events)[0] for events in several} == {bytes_of(alone)[0]}


async def test_both_stages_draw_of_the_class_that_is_asked_for():
    async with distributed(STORE, HYBRID, MODELS) as (dispatcher, stages):
        await events_of(dispatcher, HYBRID, tasks(1, "Bag"))
    assert [task.conditions.class_label for request in stages.requests for task in request.tasks] == ["Bag", "Bag"]


async def test_an_unknown_class_is_refused_by_its_field():
    async with distributed(STORE, HYBRID, MODELS) as (dispatcher, _):
        with pytest.raises(InvalidRequest, match="must be one of") as refused:
            await events_of(dispatcher, HYBRID, tasks(1, "umbrella"))
    assert refused.value.violations[0].field == "conditions.class_label"


async def test_a_cancelled_request_stops_its_stages():
    async with distributed(STORE, HYBRID, MODELS) as (dispatcher, stages):
        request = Request("r", HYBRID, tuple(tasks(1, steps=1000)))
        batches = dispatcher.stream(request, StreamStats())
        async for batch in batches:
            if batch:
                break
        assert stages.open == ["fashion-diffusion"]
        await batches.aclose()
        assert stages.open == []


async def test_a_cancelled_request_stops_a_co_located_hybrid():
    async with co_located(STORE, HYBRID) as together:
        batches = together.stream(Request("r", HYBRID, tuple(tasks(1, steps=1000))), StreamStats())
        async for batch in batches:
            if batch:
                break
        await batches.aclose()
        scheduler = together._host._runners["fashion-diffusion"].scheduler
        async with asyncio.timeout(10.0):
            while not scheduler.idle():
                await asyncio.sleep(0.01)


async def test_a_reader_that_does_not_acknowledge_bounds_what_a_co_located_hybrid_makes():
    async with co_located(STORE, HYBRID, max_unsent_events=4) as together:
        stream = together._host.submit(Request("r", HYBRID, tuple(tasks(1, steps=100))))
        seen = 0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.0):
                async for batch in stream:
                    seen += len(batch)
        assert 4 <= seen <= 8
        stream.acknowledge(seen)
        assert await anext(stream)
        stream.close()


async def test_a_hybrid_whose_stages_are_not_served_says_which():
    async with distributed(STORE, HYBRID, {"vae": ["fashion-cvae"]}) as (dispatcher, _):
        assert HYBRID not in dispatcher.models()
        assert "its stages need fashion-diffusion, which is not served" in dispatcher.refused()[HYBRID]


async def test_a_hybrid_tells_of_its_stages():
    async with distributed(STORE, HYBRID, MODELS) as (dispatcher, _), co_located(STORE, HYBRID) as together:
        for served in (dispatcher.models()[HYBRID], together.models()[HYBRID]):
            assert [(stage.stage, stage.model) for stage in served.stages] == [
                ("draft", "fashion-cvae"),
                ("refine", "fashion-diffusion"),
            ]
            assert "bag" in served.manifest.network["classes"]
        assert set(together.models()) == {HYBRID}
