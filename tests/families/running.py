"""Runs tasks through the scheduler that serves them, and gives back what came of each."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sextant.contract.events import Event, Result
from sextant.contract.media import Image, Latent, Table
from sextant.contract.tasks import Request, Task
from sextant.runtime.scheduler import StepScheduler


def run_all(sampler: Any, tasks: Sequence[Task]) -> list[Result]:
    """Each task's result, in order; they share calls wherever they can. Raises the first error."""
    return [events[-1].body for events in events_of_all(sampler, tasks)]


def run_one(sampler: Any, task: Task) -> Result:
    return run_all(sampler, [task])[0]


def events_of_all(sampler: Any, tasks: Sequence[Task]) -> list[list[Event]]:
    """Each task's events, in order; every task is a request of its own."""
    scheduler = StepScheduler(sampler, max_queue=100_000, max_unsent=100_000)
    tickets = [scheduler.submit(Request(str(number), "tiny", (task,))) for number, task in enumerate(tasks)]
    events: dict[Any, list[Event]] = {ticket: [] for ticket in tickets}
    busy = True
    while busy:
        deliveries, busy = scheduler.tick()
        for delivery in deliveries:
            if delivery.error is not None:
                raise delivery.error
            events[delivery.ticket] += delivery.events
    assert scheduler.idle()
    return [events[ticket] for ticket in tickets]


def bytes_of(result: Result) -> Any:
    """What must not depend on batch mates: all of the content, to the last bit."""
    content = result.content
    if isinstance(content, Image):
        return content.pixels.shape, content.pixels.tobytes()
    if isinstance(content, Latent):
        variance = b"" if content.variance is None else np.asarray(content.variance).tobytes()
        return content.space, content.mean.shape, content.mean.tobytes(), variance
    if isinstance(content, Table):
        return content.columns, content.values.tobytes()
    return content
