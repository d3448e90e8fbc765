"""The step scheduler: batches, streams, cancels, times and resumes every family alike.

One call of `tick` is one network call: take in what arrived, drop what was cancelled or expired, give free
slots to the longest waiting, pick the group of states that has waited longest for a step, advance it, and hand
out what became final. A request joins and leaves between any two steps (iteration-level scheduling; Yu et al.
2022, "Orca"). Nothing here knows what a step computes.

`submit`, `acknowledge` and `cancel` may be called from any thread; `tick` from one only.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from sextant.contract.errors import Cancelled, DeadlineExceeded, InvalidRequest, Overloaded, SextantError
from sextant.contract.events import Chunk, Event, FinishReason, Progress, Result
from sextant.contract.tasks import Request, Task
from sextant.runtime.rng import RequestRng
from sextant.runtime.sampler import Cost, Sampler

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one tick has for one request: events, then perhaps its end (`error` None: all items are whole)."""

    ticket: "Ticket"
    events: tuple[Event, ...]
    ended: bool = False
    error: Exception | None = None


class Observer(Protocol):
    """Where the scheduler reports its figures; see `replicas.metrics`."""

    def stepped(self, rows: int, seconds: float) -> None:
        """A network call advanced `rows` rows in `seconds`."""

    def waited(self, seconds: float) -> None:
        """An item got its slot after `seconds` in the queue."""

    def holds(self, queued: int, slots: int, unsent: int) -> None:
        """Items waiting, slots taken and events produced but not acknowledged, after a tick."""


@dataclass(slots=True, eq=False)
class _Item:
    """One task on its way through: waiting while `state` is None, then holding its slots."""

    ticket: "Ticket"
    task: Task
    cost: Cost
    resume_from: int
    state: Any = None
    stepped_at: int = -1  # tick of its last step
    sequence: int = 0
    queue_s: float = 0.0


@dataclass(slots=True, eq=False)
class Ticket:
    """A request inside the scheduler. `produced` and `acknowledged` count its events."""

    request: Request
    arrived_s: float
    deadline_s: float | None
    unfinished: int
    produced: int = 0
    acknowledged: int = 0
    cancelled: bool = False
    failure: Exception | None = None
    items: list[_Item] = field(default_factory=list)


class StepScheduler:
    """Runs one sampler for many requests.

    At most `max_queue` items wait for a slot; beyond that `submit` raises `Overloaded`. A request with
    `max_unsent` unacknowledged events keeps its slots but takes no further steps until its reader catches up.
    """

    def __init__(
        self,
        sampler: Sampler[Any],
        *,
        max_queue: int = 64,
        max_unsent: int = 64,
        clock: Callable[[], float] = time.monotonic,
        observer: Observer | None = None,
    ) -> None:
        self._sampler = sampler
        self._max_queue = max_queue
        self._max_unsent = max_unsent
        self._clock = clock
        self._observer = observer
        self._lock = threading.Condition()
        self._arrivals: deque[Ticket] = deque()  # guarded by _lock, like _arriving and _woken
        self._arriving = 0
        self._woken = False
        self._tickets: set[Ticket] = set()
        self._waiting: deque[_Item] = deque()
        self._running: list[_Item] = []
        self._slots_taken = 0
        self._ticks = 0
        self._group_stepped_at: dict[Hashable, int] = {}
        self._seconds_per_item: float | None = None  # smoothed time between finished items
        self._last_finish_s: float | None = None

    # ---- from any thread -------------------------------------------------------------------------------

    def submit(self, request: Request) -> Ticket:
        """Take a request in. Raises `Overloaded` where the queue has no room for all its items."""
        now = self._clock()
        deadline = None if request.budget_s is None else now + request.budget_s
        ticket = Ticket(request, now, deadline, unfinished=len(request.tasks))
        with self._lock:
            free_slots = max(0, self._sampler.limits.slots - self._slots_taken)
            queued = len(self._waiting) + self._arriving
            if queued + len(request.tasks) > self._max_queue + free_slots:
                raise Overloaded(f"{queued} items are waiting for {request.model}", self._retry_after_s(queued))
            self._arrivals.append(ticket)
            self._arriving += len(request.tasks)
            self._wake()
        return ticket

    def acknowledge(self, ticket: Ticket, events: int) -> None:
        """Say that `events` events of this request, in all, have gone out to its reader."""
        with self._lock:
            ticket.acknowledged = max(ticket.acknowledged, events)
            self._wake()

    def cancel(self, ticket: Ticket) -> None:
        """Stop a request: its slots are free when the step under way is done."""
        with self._lock:
            ticket.cancelled = True
            self._wake()

    def wait(self, timeout_s: float) -> None:
        """Sleep until something arrives, is acknowledged or cancelled, or the time is up."""
        with self._lock:
            if not self._woken:
                self._lock.wait(timeout_s)
            self._woken = False

    def idle(self) -> bool:
        """Whether no request is inside."""
        with self._lock:
            return not (self._arrivals or self._tickets)

    # ---- from the scheduler's thread -------------------------------------------------------------------

    def tick(self) -> tuple[list[Delivery], bool]:
        """Make at most one network call. Returns what it gave, and whether there was anything to do.

        No further tick can achieve anything before the next wake-up or deadline where the answer is False.
        """
        self._ticks += 1
        deliveries: list[Delivery] = []
        self._take_arrivals(deliveries)
        self._drop_ended(deliveries)
        self._give_slots(deliveries)
        batch = self._next_batch()
        if batch:
            self._step(batch, deliveries)
        if self._observer is not None:
            unsent = sum(ticket.produced - ticket.acknowledged for ticket in self._tickets)
            self._observer.holds(len(self._waiting), self._slots_taken, unsent)
        return deliveries, bool(batch)

    def next_deadline_s(self) -> float | None:
        """The earliest deadline of the requests inside, on the scheduler's clock."""
        return min((t.deadline_s for t in self._tickets if t.deadline_s is not None), default=None)

    def _take_arrivals(self, deliveries: list[Delivery]) -> None:
        with self._lock:
            arrived, self._arrivals = self._arrivals, deque()
            for ticket in arrived:
                resume = ticket.request.resume_from or (0,) * len(ticket.request.tasks)
                try:
                    for task, done in zip(ticket.request.tasks, resume, strict=True):
                        ticket.items.append(_Item(ticket, task, self._checked_cost(task), done))
                except Exception as error:  # the sampler's word on the task; anything else is its defect
                    self._end(ticket, error, deliveries)
                    continue
                self._tickets.add(ticket)
                self._waiting.extend(ticket.items)
            self._arriving = 0

    def _checked_cost(self, task: Task) -> Cost:
        cost, limits = self._sampler.cost(task), self._sampler.limits
        if cost.rows > limits.rows_per_step or cost.slots > limits.slots:
            raise InvalidRequest(
                "parameters",
                f"needs {cost.rows} rows and {cost.slots} slots; "
                f"this model has {limits.rows_per_step} and {limits.slots}",
            )
        return cost

    def _drop_ended(self, deliveries: list[Delivery]) -> None:
        now = self._clock()
        for ticket in [*self._tickets]:
            if ticket.cancelled:
                self._end(ticket, Cancelled("the caller went away"), deliveries)
            elif ticket.deadline_s is not None and now >= ticket.deadline_s:
                self._expire(ticket, deliveries)

    def _expire(self, ticket: Ticket, deliveries: list[Delivery]) -> None:
        """End a request at its deadline: by estimates, where they are wanted and every unfinished item has one."""
        try:
            estimates = self._estimates(ticket) if ticket.request.partial else None
        except Exception as error:
            log.exception("an estimate could not be read")
            self._end(ticket, error, deliveries)
            return
        if estimates is None:
            self._end(ticket, DeadlineExceeded("the deadline passed before the answer was whole"), deliveries)
            return
        events: list[Event] = []
        for item, estimate in estimates:
            usage = replace(estimate.usage, steps=item.state.steps_done, queue_s=item.queue_s)
            self._emit(item, replace(estimate, usage=usage, finish_reason=FinishReason.DEADLINE), events)
        self._leave(ticket)
        deliveries.append(Delivery(ticket, tuple(events), True))

    def _estimates(self, ticket: Ticket) -> list[tuple[_Item, Result]] | None:
        """The best estimates so far of the items that are not whole; None where one has none."""
        found: list[tuple[_Item, Result]] = []
        for item in ticket.items:
            if item.state is None and item not in self._waiting:
                continue  # whole, and sent
            estimate = None if item.state is None else self._sampler.partial(item.state)
            if estimate is None:
                return None
            found.append((item, estimate))
        return found

    def _give_slots(self, deliveries: list[Delivery]) -> None:
        while self._waiting:
            item = self._waiting[0]
            if self._slots_taken + item.cost.slots > self._sampler.limits.slots:
                return
            self._waiting.popleft()
            item.queue_s = self._clock() - item.ticket.arrived_s
            if self._observer is not None:
                self._observer.waited(item.queue_s)
            try:
                item.state = self._sampler.start(item.task, RequestRng(item.task.seed, item.task.index))
            except Exception as error:
                self._end(item.ticket, error, deliveries)
                continue
            self._slots_taken += item.cost.slots
            self._running.append(item)

    def _next_batch(self) -> list[_Item]:
        """The longest waiting items of the longest waiting group, as many as fit in a call."""
        groups: dict[Hashable, list[_Item]] = {}
        for item in self._running:
            if item.ticket.produced - item.ticket.acknowledged < self._max_unsent:
                groups.setdefault(self._sampler.group(item.state), []).append(item)
        if not groups:
            return []
        # A group never stepped comes first, so that who joins gets its first step at once; then they take turns.
        stepped_at = {key: self._group_stepped_at.get(key, -1) for key in groups}
        chosen = min(groups, key=stepped_at.__getitem__)
        self._group_stepped_at = {**stepped_at, chosen: self._ticks}
        batch: list[_Item] = []
        rows = 0
        for item in sorted(groups[chosen], key=lambda item: item.stepped_at):
            if rows + item.cost.rows > self._sampler.limits.rows_per_step:
                break
            rows += item.cost.rows
            batch.append(item)
        return batch

    def _step(self, batch: Sequence[_Item], deliveries: list[Delivery]) -> None:
        started = self._clock()
        try:
            self._sampler.step([item.state for item in batch])
        except Exception as error:
            log.exception("a step of %d states failed", len(batch))
            for ticket in {item.ticket for item in batch}:
                self._end(ticket, error, deliveries)
            return
        if self._observer is not None:
            self._observer.stepped(sum(item.cost.rows for item in batch), self._clock() - started)
        events: dict[Ticket, list[Event]] = {}
        for item in batch:
            item.stepped_at = self._ticks
            try:
                self._collect(item, events.setdefault(item.ticket, []))
            except SextantError as error:  # the sampler's word on the item: its input led nowhere
                item.ticket.failure = error
            except Exception as error:
                log.exception("a state could not be read after its step")
                item.ticket.failure = error
        for ticket, batch_events in events.items():
            ended = ticket.unfinished == 0 or ticket.failure is not None
            if batch_events or ended:
                deliveries.append(Delivery(ticket, tuple(batch_events), ended and ticket.failure is None))
            if ended:
                self._leave(ticket)
            if ticket.failure is not None:
                deliveries.append(Delivery(ticket, (), True, ticket.failure))

    def _collect(self, item: _Item, events: list[Event]) -> None:
        """Turn what the last step of an item made final into events."""
        state, index = item.state, item.task.index
        delta = self._sampler.delta(state)
        if delta is not None:
            self._emit(item, Chunk(index, delta), events)
        if state.steps_total > 1:
            progress = Progress(index, state.steps_done, state.steps_total, self._sampler.preview(state))
            self._emit(item, progress, events)
        if state.done:
            result = self._sampler.result(state)
            usage = replace(result.usage, steps=state.steps_done, queue_s=item.queue_s)
            self._emit(item, replace(result, usage=usage), events)
            self._release(item)
            item.ticket.unfinished -= 1
            self._note_finish()

    def _emit(self, item: _Item, body: Progress | Chunk | Result, events: list[Event]) -> None:
        if item.sequence >= item.resume_from:
            events.append(Event(item.sequence, body))
            item.ticket.produced += 1
        item.sequence += 1

    def _end(self, ticket: Ticket, error: Exception, deliveries: list[Delivery]) -> None:
        self._leave(ticket)
        deliveries.append(Delivery(ticket, (), True, error))

    def _leave(self, ticket: Ticket) -> None:
        """Take a request out, whatever state its items are in."""
        for item in ticket.items:
            if item.state is not None:
                self._release(item)
            elif item in self._waiting:
                self._waiting.remove(item)
        with self._lock:
            self._tickets.discard(ticket)

    def _release(self, item: _Item) -> None:
        state, item.state = item.state, None
        self._running.remove(item)
        self._slots_taken -= item.cost.slots
        self._sampler.release(state)

    def _note_finish(self) -> None:
        """Measure the drain rate: the time between finished items, while others wait for their slots."""
        if not self._waiting:
            self._last_finish_s = None
            return
        now = self._clock()
        if self._last_finish_s is not None:
            gap = now - self._last_finish_s
            before = self._seconds_per_item
            self._seconds_per_item = gap if before is None else 0.9 * before + 0.1 * gap
        self._last_finish_s = now

    def _retry_after_s(self, queued: int) -> float:
        """When the queue should have drained, from the measured rate; a second where none was measured yet."""
        if self._seconds_per_item is None:
            return 1.0
        return min(60.0, max(0.05, queued * self._seconds_per_item))

    def _wake(self) -> None:
        self._woken = True
        self._lock.notify()
