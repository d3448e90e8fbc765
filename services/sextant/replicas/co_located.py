"""A hybrid all of whose stages are models of this process: what a replica of the family "hybrid" runs."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence

from sextant.contract.errors import Draining, ModelNotFound
from sextant.contract.events import Event
from sextant.contract.tasks import Request
from sextant.hybrids.execution import Execution
from sextant.hybrids.hybrid import Hybrid
from sextant.replicas.tracing import TracedStream, begin_run
from sextant.runtime.runner import SchedulerRunner


class HybridStream(AsyncIterator[Sequence[Event]]):
    """The events of one request, in batches; see `runtime.runner.EventStream`.

    A reader with `max_unsent` events that it did not acknowledge gets no more, and holds up the stage that streams.
    """

    def __init__(self, execution: Execution, max_unsent: int, ended: Callable[["HybridStream"], None]) -> None:
        self._execution, self._max_unsent, self._ended = execution, max_unsent, ended
        self._produced = self._acknowledged = 0
        self._heard = asyncio.Event()

    async def __anext__(self) -> Sequence[Event]:
        """The next batch. Raises the request's error, if it has one."""
        while self._produced - self._acknowledged >= self._max_unsent:
            self._heard.clear()
            await self._heard.wait()
        try:
            batch = await anext(self._execution)
        except BaseException:
            self._ended(self)
            raise
        self._produced += len(batch)
        return batch

    def acknowledge(self, events: int) -> None:
        """Say that `events` events in all have gone out; unacknowledged ones are bounded."""
        self._acknowledged = max(self._acknowledged, events)
        self._heard.set()

    def close(self) -> None:
        """Cancel what still runs. Safe at any time, also twice."""
        self._execution.close()
        self._ended(self)


class HybridRunner:
    """A hybrid over the runners of its stages' models; see `runtime.runner.SchedulerRunner`."""

    def __init__(self, hybrid: Hybrid, stages: Mapping[str, SchedulerRunner], max_unsent: int) -> None:
        self._hybrid, self._stages, self._max_unsent = hybrid, stages, max_unsent
        self._streams: set[HybridStream] = set()
        self._draining = False

    @property
    def alive(self) -> bool:
        """Whether all stages are ticking."""
        return all(self._stages[model].alive for model in self._hybrid.models)

    def submit(self, request: Request) -> HybridStream:
        """Start a request. Raises `Draining`, `InvalidRequest` or `UnsupportedTask` at once; else with the stream."""
        if self._draining:
            raise Draining("this replica is stopping")
        stream = HybridStream(Execution(self._hybrid, request, self._stage), self._max_unsent, self._streams.discard)
        self._streams.add(stream)
        return stream

    async def drain(self, timeout_s: float) -> None:
        """Take nothing new, and let what runs finish for up to `timeout_s`."""
        self._draining = True
        end = asyncio.get_running_loop().time() + timeout_s
        while self._streams and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110 - it ends, and rarely runs
            await asyncio.sleep(0.02)
        for stream in tuple(self._streams):
            stream.close()

    async def _stage(self, request: Request) -> AsyncGenerator[Sequence[Event], None]:
        """One stage's request, through its model's own scheduler."""
        runner = self._stages.get(request.model)
        if runner is None:
            raise ModelNotFound(request.model, tuple(self._stages))
        span, seen = begin_run(request), 0
        events = runner.submit(request) if span.span is None else TracedStream(runner.submit(request), span)
        try:
            yield ()
            async for batch in events:
                yield batch
                seen += len(batch)
                events.acknowledge(seen)
        finally:
            events.close()
