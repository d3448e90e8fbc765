"""Shadows: another model answers a share of a row's requests as well, unheard, and metrics compare the two.

A shadow starts when the caller has the whole answer. One runs at a time; it is left out when other work is under way,
and given up when other work comes in: it never makes anyone wait longer than for one of its steps.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, fields, replace

import numpy as np

from sextant.contract.errors import SextantError
from sextant.contract.events import Likelihood, Result
from sextant.contract.tasks import Request, Task
from sextant.gateway import metrics
from sextant.gateway.dispatch import Dispatcher, StreamStats
from sextant.gateway.guide.decision import Decision

log = logging.getLogger(__name__)

_BUDGET_S = 30.0
_MOST_ITEMS = 16  # of a request that is shadowed: what it got is kept until the shadow has answered


class _GivenUp(Exception):
    """Other work came in."""


@dataclass(slots=True)
class Shadowed:
    """A request that a shadow is to answer too, and what its caller got."""

    rule: str
    model: str
    shadow: str
    tasks: tuple[Task, ...]
    contents: dict[int, object] = field(default_factory=dict)

    def keep(self, results: Sequence[Result]) -> None:
        """Items that the caller got."""
        self.contents.update((result.item, result.content) for result in results)


class Shadows:
    """The shadows of one gateway. `under_way` tells how many items callers wait for."""

    def __init__(self, dispatcher: Dispatcher, under_way: Callable[[], int]) -> None:
        self._dispatcher, self._under_way = dispatcher, under_way
        self._running: asyncio.Task[None] | None = None

    def begun(self, decision: Decision, tasks: tuple[Task, ...]) -> Shadowed | None:
        """What to keep of a request that has just begun; None where no shadow is to answer it."""
        if not decision.shadow or decision.choice is None or decision.rule is None or not tasks:
            return None
        choice = decision.choice
        if decision.shadow == choice.model:
            return None
        if len(tasks) > _MOST_ITEMS or self._running is not None:
            metrics.SHADOWS.labels(decision.rule.name, decision.shadow, "dropped").inc()
            return None
        family = self._dispatcher.models()[decision.shadow].manifest.family
        alike = family == choice.family
        asked = tasks if alike else tuple(replace(task, parameters=None) for task in tasks)
        return Shadowed(decision.rule.name, choice.model, decision.shadow, asked)

    def start(self, shadowed: Shadowed, request_id: str, elapsed_s: float) -> None:
        """The caller has the whole answer, after `elapsed_s`: let the shadow answer, unless someone else waits."""
        if self._running is not None or self._under_way():
            metrics.SHADOWS.labels(shadowed.rule, shadowed.shadow, "dropped").inc()
            return
        self._running = asyncio.create_task(self._run(shadowed, request_id, elapsed_s))

    async def close(self) -> None:
        """Give up what runs."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def _run(self, shadowed: Shadowed, request_id: str, elapsed_s: float) -> None:
        outcome = "failed"
        try:
            began = time.monotonic()
            contents = await self._answer(shadowed, request_id)
            taken_s = time.monotonic() - began
            outcome = "same" if _all_same(shadowed.contents, contents) else "different"
            metrics.SHADOW_SECONDS.labels(shadowed.rule, shadowed.shadow, "chosen").observe(elapsed_s)
            metrics.SHADOW_SECONDS.labels(shadowed.rule, shadowed.shadow, "shadow").observe(taken_s)
            for item, content in contents.items():
                _compare_likelihood(shadowed, shadowed.contents.get(item), content)
        except _GivenUp:
            outcome = "dropped"
        except SextantError as error:
            log.warning("shadow %s of request %s failed: %s", shadowed.shadow, request_id, error)
        except Exception:
            log.exception("shadow %s of request %s failed", shadowed.shadow, request_id)
        finally:
            self._running = None
            metrics.SHADOWS.labels(shadowed.rule, shadowed.shadow, outcome).inc()

    async def _answer(self, shadowed: Shadowed, request_id: str) -> dict[int, object]:
        request = Request(f"{request_id}-shadow"[-128:], shadowed.shadow, shadowed.tasks, _BUDGET_S)
        contents: dict[int, object] = {}
        async with aclosing(self._dispatcher.stream(request, StreamStats())) as batches:
            async for batch in batches:
                if self._under_way():
                    raise _GivenUp
                contents |= {event.body.item: event.body.content for event in batch if isinstance(event.body, Result)}
        return contents


def _compare_likelihood(shadowed: Shadowed, chosen: object, unheard: object) -> None:
    if isinstance(chosen, Likelihood) and isinstance(unheard, Likelihood) and chosen.dimensions == unheard.dimensions:
        nats = unheard.log_likelihood_nats - chosen.log_likelihood_nats
        bits = -nats / math.log(2) / max(1, chosen.dimensions)
        metrics.SHADOW_BITS.labels(shadowed.rule, shadowed.shadow).observe(bits)


def _all_same(chosen: dict[int, object], unheard: dict[int, object]) -> bool:
    return chosen.keys() == unheard.keys() and all(_same(chosen[item], unheard[item]) for item in chosen)


def _same(one: object, other: object) -> bool:
    """Whether two contents are equal, field by field and array by array."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if hasattr(one, "__dataclass_fields__"):
        return all(_same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))  # type: ignore[arg-type]
    return bool(one == other)
