"""Models as they are served: their samplers, asked as a replica asks them, without the network in between."""

import time
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sextant.bundles.manifest import HYBRID, Manifest
from sextant.bundles.store import Bundle
from sextant.contract.events import Likelihood, Result
from sextant.contract.media import Image, Latent, Media
from sextant.contract.tasks import Conditions, Parameters, Task, TaskKind
from sextant.families.family import FAMILIES, family_at
from sextant.replicas.config import THREADS
from sextant.runtime.rng import RequestRng
from sextant.runtime.sampler import Sampler
from sextant.runtime.session import SessionConfig
from sextant.zoo.evaluate.served_hybrid import HybridAlone


class Answers(Protocol):
    """Whatever answers tasks in this process: a sampler, or a hybrid with all of its stages."""

    @property
    def manifest(self) -> Manifest:
        """What is told of the model."""
        ...

    def results(self, tasks: Iterable[Task]) -> list[Result]:
        """The result of every task, in order."""
        ...

    def previews(self, task: Task) -> list[Media]:
        """What the task's progress events show."""
        ...


class Served:
    """A bundle that can be asked for many things at once.

    `threads` are those that its family is deployed with, 0 for all cores.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        family = bundle.manifest.family
        self.threads = THREADS.get(family, 0)
        self._answers: Answers = (
            HybridAlone(bundle, self.threads) if family == HYBRID else SamplerAlone(bundle, self.threads)
        )

    @property
    def manifest(self) -> Manifest:
        """What is told of the model; of a hybrid also what follows from its stages."""
        return self._answers.manifest

    def results(self, tasks: Iterable[Task]) -> list[Result]:
        """The result of every task, in order; as many share a call as the model allows."""
        return self._answers.results(tasks)

    def pictures(
        self,
        count: int,
        seed: int = 0,
        labels: Sequence[str] | None = None,
        parameters: Parameters | None = None,
    ) -> NDArray[np.uint8]:
        """`count` pictures, uint8[n, h, w, c], of the classes `labels` in turn where they are given."""
        tasks = (
            Task(
                TaskKind.GENERATE,
                seed=seed,
                index=index,
                conditions=Conditions(class_label=labels[index % len(labels)] if labels else ""),
                parameters=parameters,
            )
            for index in range(count)
        )
        return np.stack([pixels_of(result) for result in self.results(tasks)])

    def codes(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The mean code of each picture, float32[n, d]."""
        found = self.results(about(TaskKind.ENCODE, (Image(image) for image in images)))
        return np.stack([latent_of(result).mean for result in found]).astype(np.float32)

    def decoded(self, codes: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The picture of each code, uint8[n, h, w, c]."""
        space = self.bundle.manifest.latent_spaces[0].id
        tasks = about(TaskKind.DECODE, (Latent(space, code) for code in codes))
        return np.stack([pixels_of(result) for result in self.results(tasks)])

    def nats(self, tasks: Iterable[Task]) -> NDArray[np.float64]:
        """The log-likelihood that each Score answers with, in nats."""
        contents = [result.content for result in self.results(tasks)]
        return np.array([content.log_likelihood_nats for content in contents if isinstance(content, Likelihood)])

    def seconds_alone(self, task: Task, repeats: int = 15) -> float:
        """Median time of one task with no company, network calls and all."""
        self.results([task])
        taken = []
        for _ in range(repeats):
            started = time.perf_counter()
            self.results([task])
            taken.append(time.perf_counter() - started)
        return float(np.median(taken))

    def previews(self, task: Task) -> list[Media]:
        """What the task's progress events show."""
        return self._answers.previews(task)


class SamplerAlone:
    """A sampler, asked as a step scheduler asks it."""

    def __init__(self, bundle: Bundle, threads: int) -> None:
        self.manifest = bundle.manifest
        config = SessionConfig(intra_op_threads=threads)
        self._sampler: Sampler[Any] = family_at(FAMILIES[bundle.manifest.family]).load(bundle, config)

    def results(self, tasks: Iterable[Task]) -> list[Result]:
        """The result of every task, in order; as many share a call as the sampler allows."""
        results: list[Result] = []
        waiting: list[Task] = []
        rows = 0
        for task in tasks:
            cost = self._sampler.cost(task).rows
            if waiting and rows + cost > self._sampler.limits.rows_per_step:
                results += self._run(waiting)
                waiting, rows = [], 0
            waiting.append(task)
            rows += cost
        return results + self._run(waiting)

    def previews(self, task: Task) -> list[Media]:
        """What the task's progress events show."""
        state = self._sampler.start(task, RequestRng(task.seed, task.index))
        shown: list[Media] = []
        try:
            while not state.done:
                self._sampler.step([state])
                preview = self._sampler.preview(state)
                if preview is not None:
                    shown.append(preview)
        finally:
            self._sampler.release(state)
        return shown

    def _run(self, tasks: Sequence[Task]) -> list[Result]:
        sampler = self._sampler
        states = [sampler.start(task, RequestRng(task.seed, task.index)) for task in tasks]
        try:
            while open_states := [state for state in states if not state.done]:
                group = sampler.group(open_states[0])
                sampler.step([state for state in open_states if sampler.group(state) == group])
            return [sampler.result(state) for state in states]
        finally:
            for state in states:
                sampler.release(state)


def pixels_of(result: Result) -> NDArray[np.uint8]:
    """The picture in a result."""
    if not isinstance(result.content, Image):
        raise TypeError(f"a picture was expected, not {type(result.content).__name__}")
    return result.content.pixels


def latent_of(result: Result) -> Latent:
    """The latent in a result."""
    if not isinstance(result.content, Latent):
        raise TypeError(f"a latent was expected, not {type(result.content).__name__}")
    return result.content


def about(kind: TaskKind, items: Iterable[Media]) -> Iterable[Task]:
    """A task of that kind for each item."""
    for index, item in enumerate(items):
        yield Task(kind, seed=0, index=index, source=item)
