"""A request on its way through a hybrid: its stages run as soon as what they read is there.

Every stage is a request of its own to the stage's model, of one task for each item, so that it shares calls with
everyone else's. A stage that is lost with its replica is asked again with the same inputs by whoever streams it, and
answers with the same bytes. What the client sees are the events of one stage, and the results of another.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace

from sextant.contract.errors import DeadlineExceeded, InvalidRequest, Overloaded, SextantError, UnsupportedTask
from sextant.contract.events import Chunk, Event, FinishReason, Likelihood, Progress, Result, StageUsage, Usage
from sextant.contract.media import Latent, Media
from sextant.contract.tasks import Request, Size, Task
from sextant.hybrids.choosing import best_of, candidates_of
from sextant.hybrids.hybrid import Hybrid
from sextant.hybrids.stages import alike, check_request, renamed, stage_tasks

# The events of a request to one model; the first batch, empty perhaps, comes when it is taken in. Closing it cancels.
Stream = Callable[[Request], AsyncGenerator[Sequence[Event], None]]

_PARTIAL_RESERVE = 0.2  # of the time that is left: for the stages after one that may break off
_MOST_TASKS = 64  # of one stage's request: eight candidates for each of many items would not fit into a queue
_LONGEST_WAIT_S = 60.0  # in all, for room in a stage's queue where there is no deadline


class Execution(AsyncIterator[Sequence[Event]]):
    """The events of one request to a hybrid, in batches. Close it, or it runs on without a reader.

    Create it on the event loop it is read on. The first batch is empty: it comes when the first stage was taken in.
    Raises `UnsupportedTask` and `InvalidRequest` at once, all else with the batches. A batch that is not read holds up
    the stage that made it.
    """

    def __init__(self, hybrid: Hybrid, request: Request, stream: Stream) -> None:
        kind = request.tasks[0].kind
        if kind not in hybrid.plans:
            raise UnsupportedTask(request.model, f"this hybrid has no {kind}")
        self._plan, self._request, self._stream = hybrid.plans[kind], request, stream
        network = hybrid.manifest.network
        own_size = Size(width_px=network.get("width", 0), height_px=network.get("height", 0))
        for task in request.tasks:
            check_request(self._plan, task, own_size)
        choose = self._plan.graph.choose
        self._candidates = 1 if choose is None else choose.candidates
        self._tasks = candidates_of(request.tasks, self._candidates)
        self._place = {task.index: place for place, task in enumerate(self._tasks)}
        self._deadline_s = None if request.budget_s is None else time.monotonic() + request.budget_s
        self._sequences = [0] * len(request.tasks)
        self._resume_from = request.resume_from or (0,) * len(request.tasks)
        self._results: dict[str, asyncio.Future[list[Result]]] = {}
        self._is_taken_in = False
        self._giving = asyncio.Lock()
        self._batch: Sequence[Event] | None = None
        self._there, self._taken = asyncio.Event(), asyncio.Event()
        self._run = asyncio.create_task(self._all())
        self._run.add_done_callback(lambda _: self._there.set())

    async def __anext__(self) -> Sequence[Event]:
        """The next batch. Raises the request's error, if it has one."""
        while self._batch is None:
            if self._run.done():
                if not self._run.cancelled() and (error := self._run.exception()) is not None:
                    raise error
                raise StopAsyncIteration
            self._there.clear()
            await self._there.wait()
        batch, self._batch = self._batch, None
        self._taken.set()
        return batch

    def close(self) -> None:
        """Cancel every stage that still runs. Safe at any time, also twice."""
        self._run.cancel()

    async def closed(self) -> None:
        """Cancel what still runs, and wait until every stage has heard of it."""
        self._run.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await self._run

    async def _all(self) -> None:
        """Every stage, then the results."""
        loop = asyncio.get_running_loop()
        self._results = {name: loop.create_future() for name in self._plan.order}
        try:
            async with asyncio.TaskGroup() as group:
                for name in self._plan.order:
                    group.create_task(self._stage(name))
        except BaseExceptionGroup as failures:
            raise _first(failures) from None
        if answers := self._answers():
            await self._give(answers)

    async def _stage(self, name: str) -> None:
        """One stage, once what it reads is there."""
        read = {edge.source for edge in self._plan.graph.into(name) if edge.request_part is None}
        made = {source: [_media(result) for result in await self._results[source]] for source in read}
        tasks = stage_tasks(self._plan, name, self._tasks, made)
        places = alike(tasks)
        results = await self._asked(name, [tasks[place] for place in sorted(set(places))])
        self._results[name].set_result([results[tasks[place].index] for place in places])

    async def _asked(self, name: str, tasks: Sequence[Task]) -> dict[int, Result]:
        """The results of a stage's tasks by their index, asked for in portions that find room in a queue."""
        portions = [tasks[start : start + _MOST_TASKS] for start in range(0, len(tasks), _MOST_TASKS)]
        if len(portions) == 1:
            return await self._portion(name, tasks)
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(self._portion(name, portion)) for portion in portions]
        return {index: result for one in asked for index, result in one.result().items()}

    async def _portion(self, name: str, tasks: Sequence[Task]) -> dict[int, Result]:
        """The results of a few tasks. Where the stage's queue is full it waits: the request is under way."""
        waited_s = 0.0
        while True:
            try:
                return await self._streamed(name, tasks)
            except InvalidRequest as error:
                raise renamed(error, self._plan, name, self._request.tasks[0]) from error
            except Overloaded as error:
                left_s = self._left_s()
                if not self._is_taken_in or waited_s + error.retry_after_s > (left_s or _LONGEST_WAIT_S):
                    raise
                waited_s += 0.0 if left_s is not None else error.retry_after_s
                await asyncio.sleep(error.retry_after_s)

    async def _streamed(self, name: str, tasks: Sequence[Task]) -> dict[int, Result]:
        graph, results = self._plan.graph, dict[int, Result]()
        async with aclosing(self._stream(self._stage_request(name, tasks))) as batches:
            async for batch in batches:
                await self._take_in()
                shown: list[Progress | Chunk] = []
                for event in batch:
                    if isinstance(event.body, Result):
                        results[event.body.item] = event.body
                    elif name == (graph.stream if isinstance(event.body, Progress) else graph.answer):
                        shown.append(event.body)
                if shown:
                    await self._show(shown)
        if len(results) != len(tasks):
            raise SextantError(f"stage {name}: {len(results)} of {len(tasks)} items came back")
        return results

    def _stage_request(self, name: str, tasks: Sequence[Task]) -> Request:
        graph, budget_s = self._plan.graph, self._left_s()
        partial = self._request.partial and name == graph.stream
        if partial and budget_s is not None and name != graph.answer:
            budget_s *= 1 - _PARTIAL_RESERVE
        request_id = f"{self._request.request_id}/{name}"
        return Request(
            request_id, graph.stages[name].model, tuple(tasks), budget_s, partial=partial, trace=self._request.trace
        )

    def _left_s(self) -> float | None:
        """The time that is left. Raises `DeadlineExceeded` where there is none."""
        if self._deadline_s is None:
            return None
        left_s = self._deadline_s - time.monotonic()
        if left_s <= 0:
            raise DeadlineExceeded("the deadline passed between two stages")
        return left_s

    async def _take_in(self) -> None:
        if not self._is_taken_in:
            self._is_taken_in = True
            await self._give(())

    async def _show(self, bodies: Sequence[Progress | Chunk]) -> None:
        """Pass on what a stage tells of its items; of several candidates the first stands for all."""
        events: list[Event] = []
        for body in bodies:
            item, candidate = divmod(self._place[body.item], self._candidates)
            if candidate:
                continue
            self._number(replace(body, item=self._request.tasks[item].index), item, events)
        if events:
            await self._give(await self._with_previews(events))

    def _number(self, body: Progress | Chunk | Result, item: int, events: list[Event]) -> None:
        """Add an event under the item's next number, unless it was delivered before a replica was lost."""
        if self._sequences[item] >= self._resume_from[item]:
            events.append(Event(self._sequences[item], body))
        self._sequences[item] += 1

    async def _with_previews(self, events: Sequence[Event]) -> list[Event]:
        """The events with previews that can be looked at: latents are decoded, or left out."""
        latents = {
            number: event.body.preview
            for number, event in enumerate(events)
            if isinstance(event.body, Progress) and isinstance(event.body.preview, Latent)
        }
        decoded = await self._decoded(latents) if latents else {}
        shown = list(events)
        for number in latents:
            body = events[number].body
            assert isinstance(body, Progress)
            shown[number] = replace(events[number], body=replace(body, preview=decoded.get(number)))
        return shown

    async def _decoded(self, latents: dict[int, Latent]) -> dict[int, Media]:
        graph = self._plan.graph
        if graph.preview is None or graph.stream is None:
            return {}
        # Numbered anew: an item may have several previews here, and decoding draws nothing.
        items = [replace(self._request.tasks[0], index=number) for number in latents]
        tasks = stage_tasks(self._plan, graph.preview, items, {graph.stream: list(latents.values())})
        results = await self._asked(graph.preview, tasks)
        return {number: _media(result) for number, result in results.items()}

    def _answers(self) -> list[Event]:
        """The results of all items, chosen where there are candidates."""
        graph = self._plan.graph
        by_stage = {name: self._results[name].result() for name in self._plan.order}
        places = list(range(len(self._tasks)))
        if graph.choose is not None:
            places = best_of([by_stage[name] for name in graph.choose.by], self._candidates)
        events: list[Event] = []
        for item, place in enumerate(places):
            group = slice(item * self._candidates, (item + 1) * self._candidates)
            parts = {name: results[group] for name, results in by_stage.items()}
            answer = by_stage[graph.answer][place]
            broke_off = any(part.finish_reason is FinishReason.DEADLINE for some in parts.values() for part in some)
            reason = FinishReason.DEADLINE if broke_off else answer.finish_reason
            index = self._request.tasks[item].index
            body = replace(answer, item=index, finish_reason=reason, usage=self._usage(parts))
            self._number(body, item, events)
        return events

    def _usage(self, parts: dict[str, list[Result]]) -> Usage:
        """What an item used, with all of its candidates, in all stages; what candidates shared counts once."""
        used = {name: {id(result): result.usage for result in results}.values() for name, results in parts.items()}
        every = [usage for usages in used.values() for usage in usages]
        return Usage(
            steps=sum(usage.steps for usage in every),
            prompt_tokens=sum(usage.prompt_tokens for usage in every),
            generated_tokens=sum(usage.generated_tokens for usage in every),
            queue_s=parts[self._plan.order[0]][0].usage.queue_s,
            stages=tuple(StageUsage(name, sum(usage.steps for usage in used[name])) for name in self._plan.order),
        )

    async def _give(self, batch: Sequence[Event]) -> None:
        """Hand a batch to the reader; returns when it has been taken."""
        async with self._giving:
            self._taken.clear()
            self._batch = batch
            self._there.set()
            await self._taken.wait()


def _media(result: Result) -> Media:
    if isinstance(result.content, Likelihood):
        raise SextantError("a stage reads a likelihood, which is no medium")
    return result.content


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure to tell: the first that is not a group of others."""
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
