"""The asyncio side of a scheduler."""

import asyncio
import time

from sextant.contract.events import Result
from sextant.contract.tasks import Request, Task, TaskKind, TextParameters
from sextant.runtime.runner import SchedulerRunner
from sextant.runtime.scheduler import StepScheduler
from tests.probe import ProbeSampler


async def batches_of(pace_s: float, steps: int) -> tuple[list[int], list, float]:
    """How many events each batch held, the events, and the time to the first batch in seconds."""
    runner = SchedulerRunner(StepScheduler(ProbeSampler(), max_unsent=10_000), "probe", pace_s=pace_s)
    parameters = TextParameters(max_tokens=steps)
    task = Task(TaskKind.GENERATE, 1, prompt="sleep=0.002", parameters=parameters)
    started, first_s = time.monotonic(), 0.0
    sizes, events = [], []
    async for batch in runner.submit(Request("r", "probe", (task,))):
        first_s = first_s or time.monotonic() - started
        sizes.append(len(batch))
        events += batch
    await runner.drain(1.0)
    return sizes, events, first_s


async def test_pacing_joins_batches_but_changes_no_event_and_keeps_no_one_waiting_for_the_first():
    eager, paced = await batches_of(0.0, 40), await batches_of(5.0, 40)
    assert len(paced[0]) < len(eager[0]) / 4
    assert paced[0][0] <= 4, "the first batch is not held back for more"
    assert paced[2] < 5.0

    def content(events: list) -> list:
        return [(e.sequence, e.body.content if isinstance(e.body, Result) else e.body) for e in events]

    assert content(paced[1]) == content(eager[1])


async def test_a_paced_stream_does_not_wake_the_loop_at_every_step(monkeypatch):
    loop = asyncio.get_running_loop()
    wake, woken = loop.call_soon_threadsafe, 0

    def counted(*arguments, **context):
        nonlocal woken
        woken += 1
        return wake(*arguments, **context)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    await batches_of(0.0, 40)
    eager, woken = woken, 0
    await batches_of(5.0, 40)
    assert eager >= 40
    assert woken < eager / 4


async def test_the_end_is_not_held_back():
    started = time.monotonic()
    await batches_of(30.0, 3)
    assert time.monotonic() - started < 5.0
