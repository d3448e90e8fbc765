"""A thread that ticks a scheduler, and the asyncio side of it.

The scheduler has a thread of its own, so that the next step never waits for the event loop; what a step made
reaches the loop in one hand-over, however many requests it was for. What no reader waits for yet, as its stream is
paced, stays with the thread until there is more: a loop that wakes at every step takes the cores from the next one.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence

from sextant.contract.errors import Draining, SextantError
from sextant.contract.events import Event
from sextant.contract.tasks import Request
from sextant.runtime.scheduler import Delivery, StepScheduler, Ticket

log = logging.getLogger(__name__)
_NAP_S = 1.0  # the longest sleep without work; wake-ups and deadlines cut it short


class EventStream(AsyncIterator[Sequence[Event]]):
    """The events of one request, in batches. Close it, or the request runs on without a reader.

    The first batch comes at once, and so does the end; what comes within `pace_s` of a batch waits for the rest of
    that time, so that a model that makes a token every few milliseconds does not pay for a message each.
    """

    def __init__(self, runner: "SchedulerRunner", pace_s: float) -> None:
        self._runner = runner
        self._pace_s = pace_s
        self._loop = asyncio.get_running_loop()
        self._handed_over_s = float("-inf")
        self._pending: asyncio.TimerHandle | None = None
        self._ticket: Ticket | None = None
        self._batches: deque[Sequence[Event]] = deque()
        self._due = asyncio.Event()  # there is something to say, and it is time to
        self._ended = False
        self._error: Exception | None = None

    async def __anext__(self) -> Sequence[Event]:
        """The next batch: everything that came since the last. Raises the request's error, if it has one."""
        while True:
            await self._due.wait()
            if self._batches:
                break
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            self._due.clear()
        events = [event for batch in self._batches for event in batch]
        self._batches.clear()
        self._handed_over_s = self._loop.time()
        if not self._ended:
            self._due.clear()
        return events

    def acknowledge(self, events: int) -> None:
        """Say that `events` events in all have gone out; unacknowledged ones are bounded."""
        if self._ticket is not None:
            self._runner.scheduler.acknowledge(self._ticket, events)

    def close(self) -> None:
        """Cancel what still runs. Safe at any time, also twice."""
        if self._ticket is not None and not self._ended:
            self._runner.scheduler.cancel(self._ticket)

    def take(self, delivery: Delivery) -> None:
        """Called on the loop with what a tick made."""
        if delivery.events:
            self._batches.append(delivery.events)
        if delivery.ended:
            self._ended, self._error = True, delivery.error
        due_s = self._handed_over_s + self._pace_s
        if self._ended or self._loop.time() >= due_s:
            self._due.set()
        elif self._pending is None:
            self._pending = self._loop.call_at(due_s, self._show)

    def _show(self) -> None:
        self._pending = None
        self._due.set()


class SchedulerRunner:
    """Owns a scheduler's thread. Create and use it on one event loop. `pace_s` is that of its `EventStream`s."""

    def __init__(self, scheduler: StepScheduler, name: str, *, pace_s: float = 0.0) -> None:
        self.scheduler = scheduler
        self._pace_s = pace_s
        self._loop = asyncio.get_running_loop()
        self._streams: dict[Ticket, EventStream] = {}
        # What the thread has for the loop, and whether the loop is going to look for it by itself.
        self._held: list[Delivery] = []
        self._is_watched = False
        self._holding = threading.Lock()
        self._look: asyncio.TimerHandle | None = None
        self._begun: set[Ticket] = set()  # who has had something; the thread's own
        self._stopping = False
        self._draining = False
        self._thread = threading.Thread(target=self._run, name=f"steps-{name}", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> EventStream:
        """Start a request. Raises `Overloaded` or `Draining` at once; other errors come with the stream."""
        if self._draining:
            raise Draining("this replica is stopping")
        stream = EventStream(self, self._pace_s)
        stream._ticket = ticket = self.scheduler.submit(request)
        self._streams[ticket] = stream
        return stream

    async def drain(self, timeout_s: float) -> None:
        """Take nothing new, let what runs finish for up to `timeout_s`, then stop the thread."""
        self._draining = True
        end = time.monotonic() + timeout_s
        while not self.scheduler.idle() and time.monotonic() < end:  # noqa: ASYNC110 - it ends, and rarely runs
            await asyncio.sleep(0.02)
        self._stopping = True
        await asyncio.to_thread(self._thread.join, 10.0)
        self._fail_all(Draining("this replica stopped before the answer was whole"))

    def _run(self) -> None:
        while not self._stopping:
            try:
                deliveries, busy = self.scheduler.tick()
            except Exception:
                log.exception("the scheduler failed; its replica must be replaced")
                self._stopping = True
                self._loop.call_soon_threadsafe(self._fail_all, SextantError("the scheduler failed"))
                return
            if deliveries:
                self._pass_on(deliveries)
            if not busy:
                deadline = self.scheduler.next_deadline_s()
                nap = _NAP_S if deadline is None else max(0.0, min(_NAP_S, deadline - time.monotonic()))
                self.scheduler.wait(nap)

    @property
    def alive(self) -> bool:
        """Whether the thread is ticking."""
        return self._thread.is_alive()

    def _pass_on(self, deliveries: Sequence[Delivery]) -> None:
        """Have the loop take what begins or ends a stream at once, and the rest when it looks, within the pace."""
        is_urgent = any(delivery.ended or delivery.ticket not in self._begun for delivery in deliveries)
        for delivery in deliveries:
            (self._begun.discard if delivery.ended else self._begun.add)(delivery.ticket)
        with self._holding:
            self._held += deliveries
            if self._is_watched and not is_urgent:
                return
            self._is_watched = True
        self._loop.call_soon_threadsafe(self._hand_over)

    def _hand_over(self) -> None:
        with self._holding:
            deliveries, self._held = self._held, []
            self._is_watched = bool(deliveries) and self._pace_s > 0
        if self._look is not None:
            self._look.cancel()
        self._look = self._loop.call_later(self._pace_s, self._hand_over) if self._is_watched else None
        for delivery in deliveries:
            stream = self._streams.pop(delivery.ticket) if delivery.ended else self._streams.get(delivery.ticket)
            if stream is not None:
                stream.take(delivery)

    def _fail_all(self, error: SextantError) -> None:
        self._hand_over()
        for ticket, stream in self._streams.items():
            stream.take(Delivery(ticket, (), True, error))
        self._streams.clear()
