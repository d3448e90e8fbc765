"""Where requests are decided and followed: the guide in force, what is served, and what was learnt of its speed."""

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from sextant.contract.errors import DeadlineExceeded, Overloaded
from sextant.contract.events import Event, FinishReason, Result
from sextant.contract.tasks import DiffusionParameters, Task
from sextant.gateway import metrics
from sextant.gateway.dispatch import Dispatcher
from sextant.gateway.guide.decision import Candidate, Decision, Wanted
from sextant.gateway.guide.keeper import GuideKeeper
from sextant.gateway.guide.live import Live, Observation, observed
from sextant.gateway.guide.router import Router
from sextant.gateway.guide.schema import Guide
from sextant.gateway.intents import Intents
from sextant.gateway.shadows import Shadows
from sextant.replicas.served import ServedModel

# For a part of the time that a full queue takes to drain, at most this, what it would refuse is refused here.
_FULL_PART, _FULL_S = 0.2, 0.1
_ENDED = 0.95  # of a deadline: what ends after that was ended by it
_LONGER = 1.5


@dataclass(frozen=True, slots=True)
class Work:
    """A decided request on its way to its model. `learns` says that its time tells of the next one's."""

    wanted: Wanted
    decision: Decision
    choice: Candidate
    decided_s: float
    learns: bool


@dataclass(frozen=True, slots=True)
class Full:
    """A queue's refusal of so many items, of a model of `family`; it holds for new ones until `until_s`."""

    error: Overloaded
    family: str
    count: int
    until_s: float


class Desk:
    """One gateway's decisions."""

    def __init__(self, dispatcher: Dispatcher, keeper: GuideKeeper) -> None:
        self._dispatcher, self._keeper = dispatcher, keeper
        self._router = Router(keeper.guide, {})
        self._live = Live()
        self._in_flight: Counter[str] = Counter()
        self._full: dict[str, Full] = {}
        self._shadows = Shadows(dispatcher, self._in_flight.total)
        self.intents = Intents(dispatcher)

    @property
    def guide(self) -> Guide:
        """The guide in force."""
        return self._keeper.guide

    def decide(self, models: Mapping[str, ServedModel], wanted: Wanted) -> Decision:
        """The decision for `wanted` among `models`, now. Raises `ModelNotFound` for a named model not among them.

        A model without a running replica is chosen where it is named, or where no other can do what is wanted.
        """
        away = self._dispatcher.away()
        if away and not wanted.model:
            running = {name: model for name, model in models.items() if name not in away}
            if (decision := self._decided(running, wanted)).choice is not None:
                return decision
        return self._decided(models, wanted)

    def _decided(self, models: Mapping[str, ServedModel], wanted: Wanted) -> Decision:
        guide = self._keeper.guide
        if not self._router.is_for(guide, models):
            self._router = Router(guide, models)
        live = replace(self._live, in_flight=dict(self._in_flight), now_s=time.monotonic())
        return self._router.decide(wanted, live)

    def full(self, model: str, count: int) -> Full | None:
        """The refusal of as few items by a model's queue just now: cheaper than to ask it again at once.

        For one item it can be known before anything of a request is read. A queue is far from empty when this is over.
        """
        full = self._full.get(model)
        if full is None or count < full.count:
            return None
        if time.monotonic() < full.until_s:
            return full
        del self._full[model]
        return None

    async def followed(
        self, work: Work, request_id: str, tasks: Sequence[Task], batches: AsyncGenerator[Sequence[Event], None]
    ) -> AsyncGenerator[Sequence[Event], None]:
        """The batches, watched: they count as load while they last, and teach when they end well."""
        model, count = work.choice.model, work.wanted.count
        shadowed = self._shadows.begun(work.decision, tuple(tasks))
        taken_in_s: float | None = None
        cut = False
        others = self._in_flight[model]
        self._in_flight[model] += count
        try:
            async with aclosing(batches):
                async for batch in batches:
                    if taken_in_s is None:
                        taken_in_s = time.monotonic() - work.decided_s
                    results = [event.body for event in batch if isinstance(event.body, Result)]
                    cut = cut or any(result.finish_reason is FinishReason.DEADLINE for result in results)
                    if shadowed is not None:
                        shadowed.keep(results)
                    yield batch
        except Overloaded as error:
            until_s = time.monotonic() + min(_FULL_S, _FULL_PART * error.retry_after_s)
            self._full[model] = Full(error, work.choice.family, count, until_s)
            raise
        except (asyncio.CancelledError, GeneratorExit, DeadlineExceeded):
            self._learn_of_lateness(work, others, taken_in_s)
            raise
        finally:
            self._in_flight[model] -= count
            if not self._in_flight[model]:
                del self._in_flight[model]
        elapsed_s = time.monotonic() - work.decided_s
        if cut:
            self._learn_of_lateness(work, others, taken_in_s)
        elif taken_in_s is not None and work.learns:
            self._learn(work, others, taken_in_s, elapsed_s)
        if shadowed is not None:
            self._shadows.start(shadowed, request_id, elapsed_s)

    def _learn_of_lateness(self, work: Work, others: int, taken_in_s: float | None) -> None:
        """What its deadline ended would have taken longer still: by half, as far as is known."""
        elapsed_s = time.monotonic() - work.decided_s
        deadline_s = work.wanted.deadline_s
        if work.learns and deadline_s is not None and elapsed_s >= _ENDED * deadline_s:
            self._learn(work, others, taken_in_s, _LONGER * elapsed_s)

    def _learn(self, work: Work, others: int, taken_in_s: float | None, elapsed_s: float) -> None:
        wanted, choice = work.wanted, work.choice
        served = self._dispatcher.models().get(choice.model)
        seen = Observation(
            model=choice.model,
            task=wanted.task,
            tier=choice.tier,
            steps=choice.tier.steps,
            count=wanted.count,
            others=others,
            taken_in_s=taken_in_s,
            service_s=max(0.0, elapsed_s - (taken_in_s or 0.0)),
            timed=served is not None and served.manifest.tasks[0] is wanted.task,
        )
        self._live = observed(self._live, seen, time.monotonic())

    async def close(self) -> None:
        """Give up what nobody waits for."""
        await self._shadows.close()


def note_decision(decision: Decision) -> None:
    """Count a decision by the row that fired."""
    model = decision.choice.model if decision.choice else "none"
    rule = decision.rule.name if decision.rule else "named"
    metrics.DECISIONS.labels(rule, model).inc()
    if decision.canary:
        metrics.CANARIES.labels(rule, model).inc()


def lots_of(seed: int) -> tuple[float, float]:
    """Two numbers in [0, 1) by the seed, so that the same request is always tried by the same model."""
    digest = hashlib.sha256(b"lots" + seed.to_bytes(8, "little")).digest()
    first, second = int.from_bytes(digest[:6], "little"), int.from_bytes(digest[6:12], "little")
    return first / 2**48, second / 2**48


def in_its_tier(tasks: tuple[Task, ...], choice: Candidate) -> tuple[Task, ...]:
    """The tasks with the sampler and the steps of the chosen tier, where it is the guide's to set them."""
    if not choice.sets_way:
        return tasks
    return tuple(replace(task, parameters=_filled(task, choice)) for task in tasks)


def _filled(task: Task, choice: Candidate) -> DiffusionParameters:
    given = task.parameters if isinstance(task.parameters, DiffusionParameters) else DiffusionParameters()
    tier = choice.tier
    return replace(
        given, sampler=given.sampler or tier.sampler, steps=tier.steps if given.steps is None else given.steps
    )
