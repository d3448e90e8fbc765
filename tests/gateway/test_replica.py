"""A gateway and replicas that it reaches without Ray: real doors on loopback ports."""

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path

import pytest

from sextant.bundles.store import BundleStore
from sextant.contract.errors import DeadlineExceeded, InvalidRequest, ModelNotFound, ModelUnavailable, SextantError
from sextant.contract.events import Result
from sextant.contract.tasks import Request, Task, TaskKind, TextParameters
from sextant.gateway import ray_dispatch
from sextant.gateway import replica as replica_module
from sextant.gateway.dispatch import StreamStats
from sextant.gateway.ray_dispatch import RayDispatcher
from sextant.gateway.replica import Replica
from sextant.replicas import door as door_module
from sextant.replicas.config import FamilyConfig
from sextant.replicas.door import Door
from sextant.replicas.host import ModelHost
from sextant.replicas.link import LinkLost
from sextant.replicas.messages import Introduction
from sextant.replicas.served import Offer
from tests.probe import write_probe_bundle

BOUND = 8


def request(prompt: str = "go", steps: int = 5, model: str = "probe", budget_s: float | None = None) -> Request:
    task = Task(TaskKind.GENERATE, 7, prompt=prompt, parameters=TextParameters(max_tokens=steps))
    return Request("r", model, (task,), budget_s)


class Site:
    """One replica's host and door, with what a gateway is told of them."""

    def __init__(self, name: str, host: ModelHost, door: Door) -> None:
        self.host, self.door = host, door
        self.introduction = Introduction(name, "127.0.0.1", door.port, door.key, host.offer, acknowledge_every=2)
        self.hangs = False

    @property
    def held(self) -> int:
        return len(self.host._runners["probe"].scheduler._sampler.held)

    def hang(self) -> None:
        """As a process that is stopped: connections stay, and nothing more is said or read."""
        self.hangs = True
        for link in self.door._links:
            link._flush = lambda: None  # type: ignore[method-assign]

    def die(self) -> None:
        """As a process that is killed: all its connections end at once."""
        assert self.door._server is not None
        self.door._server.close()
        for link in self.door._links:
            link._writer.transport.abort()


@pytest.fixture
async def sites(tmp_path: Path):
    write_probe_bundle(tmp_path)
    config = FamilyConfig(models=("probe",), max_unsent_events=BOUND, stream_pace_ms=0)
    found = []
    for name in ("one", "two"):
        host = await ModelHost.load("tests.probe:FAMILY", config, BundleStore([tmp_path]))
        found.append(Site(name, host, await Door.open(host, "127.0.0.1")))
    yield found
    for site in found:
        await site.door.leave(0.0)
        await site.host.drain(0.1)


class Answer:
    """What one replica says to a broadcast; None: it hangs."""

    def __init__(self, introduction: Introduction | None) -> None:
        self.introduction = introduction

    async def get_async(self) -> Introduction:
        if self.introduction is None:
            await asyncio.Event().wait()
        assert self.introduction is not None
        return self.introduction


class Handle:
    """What the dispatcher uses of a Serve handle: every replica introduces itself."""

    def __init__(self, introductions: list[Introduction | None]) -> None:
        self.introductions = introductions

    def broadcast(self, method: str) -> "Handle":
        assert method == "introduce"
        return self

    async def _fetch_replica_results_async(self) -> list[Answer]:
        return [Answer(introduction) for introduction in self.introductions]


async def dispatcher_of(sites: list[Site]) -> RayDispatcher:
    dispatcher = RayDispatcher()
    dispatcher._handles["probe"] = Handle([site.introduction for site in sites])  # type: ignore[assignment]
    dispatcher._replicas["probe"], dispatcher._running["probe"] = {}, True
    await dispatcher._meet("probe", "sextant-probe")
    return dispatcher


async def until(condition) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def bodies(batches) -> list:
    return [event.body async for batch in batches for event in batch]


async def test_a_stream_is_taken_in_and_brings_what_the_host_makes(sites):
    replica = await Replica.meet(sites[0].introduction, lambda: None)
    expected = await bodies(sites[1].host.submit(request(steps=3)))  # few enough to need no acknowledgement
    batches = [batch async for batch in replica.stream(request(steps=3))]
    assert list(batches[0]) == [], "taken in, before there is anything to show"
    assert [event.body for batch in batches for event in batch][-1].content == expected[-1].content
    assert replica.open_streams == 0
    replica.close()


async def test_many_streams_share_one_connection(sites):
    replica = await Replica.meet(sites[0].introduction, lambda: None)
    answers = await asyncio.gather(*(bodies(replica.stream(request(steps=1 + n % 7))) for n in range(60)))
    assert [answer[-1].usage.generated_tokens for answer in answers] == [1 + n % 7 for n in range(60)]
    assert len(sites[0].door._links) == 1
    replica.close()


async def test_closing_a_stream_frees_its_slot_in_the_replica(sites):
    replica = await Replica.meet(sites[0].introduction, lambda: None)
    stream = replica.stream(request("sleep=0.005", steps=100_000))
    async for batch in stream:
        if batch:
            break
    assert sites[0].held == 1
    await stream.aclose()
    await until(lambda: sites[0].held == 0)
    replica.close()


async def test_a_gateway_that_goes_takes_its_streams_with_it(sites):
    replica = await Replica.meet(sites[0].introduction, lambda: None)
    stream = replica.stream(request("sleep=0.005", steps=100_000))
    await anext(stream)
    await until(lambda: sites[0].held == 1)
    replica.close()
    await until(lambda: sites[0].held == 0 and sites[0].door.streams == 0)
    with contextlib.suppress(LinkLost):
        await stream.aclose()


async def test_a_reader_that_stops_bounds_what_the_replica_makes_for_it(sites):
    replica = await Replica.meet(sites[0].introduction, lambda: None)
    stream = replica.stream(request(steps=300))
    await anext(stream)
    sampler = sites[0].host._runners["probe"].scheduler._sampler
    await until(lambda: len(sampler.batches) >= 4)
    await asyncio.sleep(0.3)
    made = len(sampler.batches)
    assert 2 * made <= BOUND + 4, "two events a step, and the two steps of the warm-up"
    await asyncio.sleep(0.2)
    assert len(sampler.batches) == made
    rest = await bodies(stream)
    assert isinstance(rest[-1], Result), "who reads on gets everything"
    replica.close()


async def test_the_errors_of_a_request_arrive_as_they_are(sites):
    replica = await Replica.meet(sites[0].introduction, lambda: None)
    with pytest.raises(InvalidRequest, match="refused by the sampler") as refused:
        await bodies(replica.stream(request("refuse")))
    assert refused.value.violations[0].field == "prompt"
    with pytest.raises(ModelNotFound):
        await bodies(replica.stream(request(model="nonesuch")))
    with pytest.raises(SextantError, match="RuntimeError in the model"):
        await bodies(replica.stream(request("break")))
    assert (await bodies(replica.stream(request())))[-1], "the connection is none the worse for it"
    replica.close()


def test_an_error_that_does_not_survive_the_way_arrives_as_its_text():
    class Foreign(SextantError):
        def __init__(self, one: str, two: str) -> None:
            super().__init__(f"{one} and {two}")

    told = door_module._portable(Foreign("this", "that"))
    assert type(told) is SextantError
    assert str(told) == "this and that"


async def test_a_stream_goes_on_unbroken_and_identical_on_another_replica(sites):
    dispatcher = await dispatcher_of(sites)
    whole = await bodies(dispatcher.stream(request("sleep=0.005", steps=60), StreamStats()))
    stats, got = StreamStats(), []
    async for batch in dispatcher.stream(request("sleep=0.005", steps=60), stats):
        got += [event.body for event in batch]
        if len(got) >= 20 and stats.retries == 0:
            next(site for site in sites if site.held).die()
            while stats.retries == 0 and dispatcher._taking("probe") == 2:
                await asyncio.sleep(0.01)
    assert stats.retries == 1
    assert [body for body in got if not isinstance(body, Result)] == [b for b in whole if not isinstance(b, Result)]
    assert got[-1].content == whole[-1].content
    await dispatcher.close()


async def test_a_lost_replica_is_met_again_when_it_is_back(sites):
    dispatcher = await dispatcher_of(sites[:1])
    sites[0].die()
    await until(lambda: dispatcher._taking("probe") == 0)
    waiting = asyncio.create_task(bodies(dispatcher.stream(request(budget_s=60.0), StreamStats())))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    dispatcher._handles["probe"].introductions = [sites[1].introduction]  # type: ignore[attr-defined]
    await dispatcher._meet("probe", "sextant-probe")
    assert isinstance((await waiting)[-1], Result)
    await dispatcher.close()


async def test_no_replica_within_the_deadline_is_told_as_that(sites):
    dispatcher = await dispatcher_of(sites[:1])
    sites[0].die()
    await until(lambda: dispatcher._taking("probe") == 0)
    with pytest.raises(DeadlineExceeded, match="no replica"):
        await bodies(dispatcher.stream(request(budget_s=0.1), StreamStats()))
    await dispatcher.close()


async def test_a_request_that_loses_every_replica_it_gets_is_given_up(sites, monkeypatch):
    dispatcher = await dispatcher_of(sites[:1])

    async def lost(*_):
        raise LinkLost("gone")
        yield ()

    monkeypatch.setattr(Replica, "stream", lost)
    stats = StreamStats()
    with pytest.raises(ModelUnavailable, match="4 replicas in a row"):
        await bodies(dispatcher.stream(request(), stats))
    assert stats.retries == 4
    await dispatcher.close()


async def test_the_less_busy_replica_gets_the_next_stream(sites):
    dispatcher = await dispatcher_of(sites)
    streams = [dispatcher.stream(request("sleep=0.01", steps=100_000), StreamStats()) for _ in range(6)]
    for stream in streams:
        await anext(stream)
    assert [replica.open_streams for replica in dispatcher._replicas["probe"].values()] == [3, 3]
    for stream in streams:
        await stream.aclose()
    await dispatcher.close()


async def test_a_replica_that_leaves_ends_what_is_open_and_gets_nothing_new(sites):
    dispatcher = await dispatcher_of(sites)
    first = dispatcher.stream(request("sleep=0.005", steps=100), StreamStats())
    await anext(first)
    await until(lambda: any(site.held for site in sites))
    busy = next(site for site in sites if site.held)
    leaving = asyncio.create_task(busy.door.leave(30.0))
    await until(lambda: dispatcher._taking("probe") == 1)
    for _ in range(6):
        assert (await bodies(dispatcher.stream(request(), StreamStats())))[-1]
    assert busy.held == 1, "all of them went to the other"
    assert isinstance((await bodies(first))[-1], Result)
    await leaving
    await dispatcher.close()


async def test_a_replica_that_hangs_is_given_up_and_its_streams_go_on_elsewhere(sites, monkeypatch):
    """Its connections stay open, and its kernel acknowledges what comes: TCP sees nothing amiss."""
    monkeypatch.setattr(replica_module, "_PING_S", 0.05)
    dispatcher = await dispatcher_of(sites)
    whole = await bodies(dispatcher.stream(request("sleep=0.005", steps=60), StreamStats()))
    stats, got = StreamStats(), []
    async for batch in dispatcher.stream(request("sleep=0.005", steps=60), stats):
        got += [event.body for event in batch]
        if len(got) >= 20 and not any(site.hangs for site in sites):
            next(site for site in sites if site.held).hang()
    assert stats.retries == 1
    assert [body for body in got if not isinstance(body, Result)] == [b for b in whole if not isinstance(b, Result)]
    assert dispatcher._taking("probe") == 1
    await dispatcher.close()


async def test_a_replica_that_is_busy_for_long_but_answers_is_kept(sites, monkeypatch):
    monkeypatch.setattr(replica_module, "_PING_S", 0.02)
    replica = await Replica.meet(sites[0].introduction, lambda: None)
    assert (await bodies(replica.stream(request("sleep=0.1", steps=5))))[-1]
    assert not replica.lost
    replica.close()


async def test_a_replica_that_hangs_keeps_nobody_from_being_met(sites, monkeypatch):
    monkeypatch.setattr(ray_dispatch, "_INTRODUCTION_S", 0.3)
    dispatcher = await dispatcher_of([])
    dispatcher._handles["probe"] = Handle([None, sites[0].introduction])  # type: ignore[assignment]
    meeting = asyncio.create_task(dispatcher._meet("probe", "sextant-probe"))
    await until(lambda: dispatcher._taking("probe") == 1)
    assert not meeting.done()
    await meeting
    await dispatcher.close()


async def test_a_model_without_a_replica_is_away_and_still_served(sites):
    dispatcher = await dispatcher_of(sites)
    assert not dispatcher.away()
    dispatcher._running["probe"] = False
    assert set(dispatcher.models()) == dispatcher.away() == {"probe"}
    del dispatcher._running["probe"]  # no longer deployed
    assert not dispatcher.models()
    await dispatcher.close()


def another_version(introduction: Introduction) -> Introduction:
    served = introduction.offer.models["probe"]
    newer = replace(served, manifest=served.manifest.model_copy(update={"version": "2.0.0"}), digest="2" * 64)
    return replace(introduction, offer=Offer({"probe": newer}))


async def test_what_one_version_began_no_other_goes_on_with(sites):
    sites[1].introduction = another_version(sites[1].introduction)
    dispatcher = await dispatcher_of(sites[:1])
    stats = StreamStats()
    stream = dispatcher.stream(request("sleep=0.005", steps=200), stats)
    assert await anext(stream) == ()
    assert await anext(stream)
    dispatcher._handles["probe"].introductions = [sites[1].introduction]  # type: ignore[attr-defined]
    await dispatcher._meet("probe", "sextant-probe")
    sites[0].die()
    with pytest.raises(ModelUnavailable, match="another version"):
        await bodies(stream)
    assert stats.answered["probe"].manifest.version == "1.0.0"
    await dispatcher.close()


async def test_who_answered_is_told_whichever_version_was_met_last(sites):
    sites[1].introduction = another_version(sites[1].introduction)
    dispatcher = await dispatcher_of(sites)
    assert dispatcher.models()["probe"].manifest.version in ("1.0.0", "2.0.0")
    found = set()
    for _ in range(40):
        stats = StreamStats()
        await bodies(dispatcher.stream(request(steps=1), stats))
        found.add(stats.answered["probe"].manifest.version)
    assert found == {"1.0.0", "2.0.0"}
    await dispatcher.close()
