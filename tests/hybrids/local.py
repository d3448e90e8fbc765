"""Hybrids over models of this process: distributed, through a gateway's dispatcher, and co-located."""

from collections.abc import AsyncGenerator, Mapping, Sequence, Set
from contextlib import aclosing, asynccontextmanager

from sextant.bundles.store import BundleStore
from sextant.contract.events import Event, Progress, Result
from sextant.contract.tasks import Request, Task
from sextant.families.family import FAMILIES
from sextant.gateway.dispatch import StreamStats
from sextant.gateway.hybrid_dispatch import HybridDispatcher
from sextant.gateway.local_dispatch import LocalDispatcher
from sextant.hybrids.offer import HybridBundles
from sextant.replicas.config import FamilyConfig
from sextant.replicas.host import ModelHost
from sextant.replicas.served import ServedModel


class Hosts:
    """A dispatcher over several hosts, one a family, that keeps every request it is asked."""

    def __init__(self, hosts: Sequence[ModelHost]) -> None:
        self._of = {name: LocalDispatcher(host) for host in hosts for name in host.offer.models}
        self.requests: list[Request] = []
        self.open: list[str] = []

    def models(self) -> Mapping[str, ServedModel]:
        return {name: dispatcher.models()[name] for name, dispatcher in self._of.items()}

    def away(self) -> Set[str]:
        return frozenset()

    def refused(self) -> Mapping[str, str]:
        return {}

    def ready(self) -> bool:
        return True

    async def stream(self, request: Request, stats: StreamStats) -> AsyncGenerator[Sequence[Event], None]:
        self.requests.append(request)
        self.open.append(request.model)
        try:
            async with aclosing(self._of[request.model].stream(request, stats)) as batches:
                async for batch in batches:
                    yield batch
        finally:
            self.open.remove(request.model)


@asynccontextmanager
async def hosts(store: BundleStore, models: Mapping[str, Sequence[str]], **settings):
    """A dispatcher over a host for each family of `models`."""
    started = [
        await ModelHost.load(
            "tests.probe:FAMILY" if family == "probe" else FAMILIES[family],
            FamilyConfig(models=tuple(names), **settings),
            store,
        )
        for family, names in models.items()
    ]
    try:
        yield Hosts(started)
    finally:
        for host in started:
            await host.drain(1.0)


@asynccontextmanager
async def distributed(store: BundleStore, hybrid: str, models: Mapping[str, Sequence[str]], **settings):
    """The hybrid with each family in a host of its own."""
    async with hosts(store, models, **settings) as stages:
        yield HybridDispatcher(stages, HybridBundles(store, (hybrid,))), stages


@asynccontextmanager
async def co_located(store: BundleStore, hybrid: str, **settings):
    """The hybrid in one host."""
    host = await ModelHost.load("hybrid", FamilyConfig(models=(hybrid,), co_located=True, **settings), store)
    try:
        yield LocalDispatcher(host)
    finally:
        await host.drain(1.0)


async def events_of(dispatcher, model: str, tasks: Sequence[Task], **rest) -> list[Event]:
    """All events of a request."""
    request = Request("r", model, tuple(tasks), **rest)
    async with aclosing(dispatcher.stream(request, StreamStats())) as batches:
        return [event async for batch in batches for event in batch]


def results_of(events: Sequence[Event]) -> list[Result]:
    """The results, in the order of their items."""
    found = [event.body for event in events if isinstance(event.body, Result)]
    return sorted(found, key=lambda result: result.item)


def progress_of(events: Sequence[Event], item: int = 0) -> list[Progress]:
    """The progress of one item."""
    return [event.body for event in events if isinstance(event.body, Progress) and event.body.item == item]
