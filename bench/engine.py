"""The engine alone: scheduler and sampler in one thread, no gRPC, no Ray. Tokens per second by number of streams."""

import time

from sextant.bundles.store import Bundle
from sextant.contract.events import Result
from sextant.contract.tasks import Request, Task, TaskKind, TextParameters
from sextant.families.family import FAMILIES, family_at
from sextant.runtime.scheduler import StepScheduler
from sextant.runtime.session import SessionConfig


class Engine:
    """A model with its scheduler, ticked by whoever calls."""

    def __init__(self, bundle: Bundle, threads: int) -> None:
        family = family_at(FAMILIES[bundle.manifest.family])
        self.name = bundle.manifest.name
        self.scheduler = StepScheduler(family.load(bundle, SessionConfig(intra_op_threads=threads)))
        for task in family.warm_up(bundle):
            self.run([task])

    def run(self, tasks: list[Task]) -> float:
        """Seconds until every task is done, each a request of its own."""
        started = time.perf_counter()
        for number, task in enumerate(tasks):
            self.scheduler.submit(Request(str(number), self.name, (task,)))
        done = 0
        while done < len(tasks):
            deliveries, _ = self.scheduler.tick()
            for delivery in deliveries:
                if delivery.error is not None:
                    raise delivery.error
                self.scheduler.acknowledge(delivery.ticket, delivery.ticket.produced)
                done += sum(isinstance(event.body, Result) for event in delivery.events)
        return time.perf_counter() - started


def greedy(prompt: str, tokens: int, seed: int = 0) -> Task:
    """`tokens` greedy tokens after `prompt`, whatever the model would rather do."""
    parameters = TextParameters(max_tokens=tokens, temperature=0.0, ignore_end_of_text=True, continue_prompt=True)
    return Task(TaskKind.GENERATE, seed, prompt=prompt, parameters=parameters)


def tokens_per_second(engine: Engine, prompt: str, tokens: int, width: int) -> float:
    """Generated tokens per second of `width` requests that arrive together."""
    seconds = engine.run([greedy(f"{prompt} {number}", tokens) for number in range(width)])
    return width * tokens / seconds
