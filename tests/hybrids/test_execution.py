"""A request on its way through a hybrid: which stages see what, in what order, and what becomes of them."""

import asyncio
from contextlib import aclosing

import numpy as np
import pytest

from sextant.contract.errors import DeadlineExceeded, InvalidRequest, ModelUnavailable, Overloaded, UnsupportedTask
from sextant.contract.events import Estimator, Event, Likelihood, Progress, Result, Usage
from sextant.contract.media import Image, Latent, Text
from sextant.contract.tasks import (
    Conditions,
    DiffusionParameters,
    HybridParameters,
    Request,
    Size,
    Task,
    TaskKind,
    VaeParameters,
)
from sextant.hybrids.execution import Execution
from sextant.hybrids.hybrid import build_hybrid
from tests.hybrids.manifests import MODELS, PAINTING, hybrid

STEPS = 3


class Models:
    """Models that answer at once, each by what it was asked; a test may hold one up, or have it refuse."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.running: set[str] = set()
        self.gates: dict[str, asyncio.Event] = {}
        self.refusals: dict[str, list[Exception]] = {}

    def asked(self, stage: str) -> list[Task]:
        return [task for request in self.requests if request.request_id.endswith(f"/{stage}") for task in request.tasks]

    async def stream(self, request: Request):
        self.requests.append(request)
        stage = request.request_id.rpartition("/")[2]
        if self.refusals.get(stage):
            raise self.refusals[stage].pop(0)
        self.running.add(stage)
        try:
            yield ()
            if request.model == "denoiser":
                for step in range(STEPS):
                    told = (Progress(task.index, step + 1, STEPS, _latent(task, step)) for task in request.tasks)
                    yield tuple(Event(step, progress) for progress in told)
                    if stage in self.gates:
                        await self.gates[stage].wait()
            elif stage in self.gates:
                await self.gates[stage].wait()
            yield tuple(Event(STEPS, Result(task.index, _answer(task), usage=Usage(1))) for task in request.tasks)
        finally:
            self.running.discard(stage)


def _latent(task: Task, step: int) -> Latent:
    return Latent("faces/z", np.full((4, 8, 8), task.seed % 100 + task.index + step, np.float32))


def _answer(task: Task):
    match task.kind:
        case TaskKind.ENCODE:
            return Latent(task.space, np.full((3, 8), len(task.source.content), np.float32))
        case TaskKind.DECODE:
            return Image(np.full((64, 64, 3), int(task.source.mean.flat[0]) % 256, np.uint8))
    return _latent(task, STEPS)


def painter(graph: str = PAINTING):
    return build_hybrid(hybrid(graph), MODELS)


def tasks(count: int = 1, **rest) -> tuple[Task, ...]:
    return tuple(Task(TaskKind.GENERATE, 7, index=index, **{"prompt": "a face", **rest}) for index in range(count))


async def run(models: Models, asked=None, graph: str = PAINTING, **rest) -> list[Event]:
    execution = Execution(painter(graph), Request("r", "painter", asked or tasks(), **rest), models.stream)
    return [event async for batch in execution for event in batch]


async def test_every_stage_reads_what_the_graph_says():
    models = Models()
    await run(models)
    (read,), (nothing,), (denoise,) = (models.asked(stage) for stage in ("read", "nothing", "denoise"))
    assert read.source == Text("a face")
    assert nothing.source == Text("nothing")
    assert denoise.conditions.media[0].mean.flat[0] == len("a face")
    assert denoise.conditions.negative[0].mean.flat[0] == len("nothing")
    assert denoise.parameters == DiffusionParameters(steps=20, guidance=3.0)


async def test_the_streamed_stage_tells_its_progress_and_the_answer_is_the_result():
    events = await run(Models())
    assert [type(event.body) for event in events] == [Progress] * STEPS + [Result]
    assert [event.sequence for event in events] == list(range(STEPS + 1))
    assert isinstance(events[-1].body.content, Image)


async def test_previews_that_are_latents_are_decoded_by_the_stage_that_is_named():
    models = Models()
    events = await run(models)
    seed = models.asked("denoise")[0].seed
    assert [event.body.preview.pixels.flat[0] for event in events[:-1]] == [seed % 100 + step for step in range(STEPS)]


async def test_previews_that_nothing_decodes_are_left_out():
    events = await run(Models(), graph=PAINTING.replace('preview = "paint"\n', ""))
    assert [event.body.preview for event in events[:-1]] == [None] * STEPS


async def test_items_go_to_a_stage_together_and_what_is_alike_is_asked_once():
    models = Models()
    events = await run(models, tasks(4), graph=PAINTING.replace('preview = "paint"\n', ""))
    assert len(models.asked("read")) == 1
    assert [task.index for task in models.asked("denoise")] == [0, 1, 2, 3]
    assert len([request for request in models.requests if request.request_id == "r/denoise"]) == 1
    assert sorted(event.body.item for event in events if isinstance(event.body, Result)) == [0, 1, 2, 3]


async def test_many_items_go_to_a_stage_in_portions():
    models = Models()
    events = await run(models, tasks(100), graph=PAINTING.replace('preview = "paint"\n', ""))
    portions = [len(request.tasks) for request in models.requests if request.request_id == "r/denoise"]
    assert sorted(portions) == [36, 64]
    results = [event.body.item for event in events if isinstance(event.body, Result)]
    assert results == list(range(100))
    numbers = [event.sequence for event in events if event.body.item == 99]
    assert numbers == list(range(STEPS + 1))


async def test_stages_draw_independently_unless_they_draw_as_the_request_does():
    models = Models()
    await run(models)
    own = models.asked("denoise")[0].seed
    await run(models, graph=PAINTING.replace('task = "generate"', 'task = "generate"\nseed = "request"'))
    assert own != 7
    assert models.asked("denoise")[1].seed == 7


async def test_parameters_of_a_stage_go_over_the_graphs_own():
    models = Models()
    given = HybridParameters({"denoise": DiffusionParameters(steps=5, preview_every_steps=2)})
    await run(models, tasks(parameters=given))
    assert models.asked("denoise")[0].parameters == DiffusionParameters(steps=5, guidance=3.0, preview_every_steps=2)


async def test_parameters_of_one_family_are_for_the_stage_that_is_streamed():
    models = Models()
    await run(models, tasks(parameters=DiffusionParameters(steps=5)))
    assert models.asked("denoise")[0].parameters == DiffusionParameters(steps=5, guidance=3.0)
    unstreamed = PAINTING.replace('stream = "denoise"\npreview = "paint"', "")
    with pytest.raises(InvalidRequest) as refused:
        await run(models, tasks(parameters=DiffusionParameters()), unstreamed)
    assert refused.value.violations[0].field == "parameters"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"prompt": None}, "prompt"),
        ({"strength": 0.5}, "strength"),
        ({"source": Text("x")}, "source"),
        ({"conditions": Conditions(class_label="hat")}, "conditions.class_label"),
        ({"parameters": HybridParameters({"nose": VaeParameters()})}, "hybrid.stages[nose]"),
        ({"size": Size(width_px=65)}, "size.width_px"),
    ],
)
async def test_what_no_stage_reads_or_every_answer_needs_is_refused_by_its_field(changes, field):
    with pytest.raises(InvalidRequest) as refused:
        await run(Models(), tasks(**changes))
    assert refused.value.violations[0].field == field


async def test_a_task_without_a_graph_is_refused():
    with pytest.raises(UnsupportedTask):
        await run(Models(), (Task(TaskKind.SCORE, 0, source=Text("x")),))


@pytest.mark.parametrize(
    ("stage", "field", "told"),
    [
        ("read", "items[0].text", "prompt"),
        ("denoise", "diffusion.steps", "hybrid.stages[denoise].diffusion.steps"),
        ("denoise", "parameters", "hybrid.stages[denoise]"),
        ("denoise", "conditions.media[0]", ""),
    ],
)
async def test_a_stages_refusal_is_told_of_the_request(stage, field, told):
    models = Models()
    models.refusals[stage] = [InvalidRequest(field, "is wrong")]
    with pytest.raises(InvalidRequest) as refused:
        await run(models)
    assert refused.value.violations[0].field == told
    assert "is wrong" in refused.value.violations[0].description


async def test_a_full_queue_refuses_a_request_only_before_it_is_taken_in():
    models = Models()
    models.refusals["denoise"] = [Overloaded("full", 0.01), Overloaded("full", 0.01)]
    assert isinstance((await run(models))[-1].body, Result)
    models.refusals = {"read": [Overloaded("full", 0.01)], "nothing": [Overloaded("full", 0.01)]}
    with pytest.raises(Overloaded):
        await run(models)


async def test_the_budget_of_a_stage_is_what_the_stages_before_it_left():
    models = Models()
    models.gates["denoise"] = asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, models.gates["denoise"].set)
    await run(models, budget_s=30.0)
    budgets = {request.request_id: request.budget_s for request in models.requests}
    assert budgets["r/paint"] < budgets["r/denoise"] <= budgets["r/read"] <= 30.0


async def test_a_deadline_between_two_stages_is_told():
    models = Models()
    models.gates["read"] = asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, models.gates["read"].set)
    with pytest.raises(DeadlineExceeded):
        await run(models, budget_s=0.05)


async def test_closing_cancels_every_stage_that_runs():
    models = Models()
    models.gates = {"read": asyncio.Event(), "nothing": asyncio.Event()}
    execution = Execution(painter(), Request("r", "painter", tasks()), models.stream)
    assert await anext(execution) == ()
    await asyncio.sleep(0)
    assert models.running == {"read", "nothing"}
    await execution.closed()
    assert not models.running
    assert not models.asked("denoise")


async def test_a_stage_that_is_lost_for_good_stops_the_others():
    models = Models()
    models.gates["read"] = asyncio.Event()
    models.refusals["nothing"] = [ModelUnavailable("gone")]
    with pytest.raises(ModelUnavailable):
        await run(models)
    assert not models.running


async def test_a_reader_that_stops_holds_up_the_stage_that_streams():
    models = Models()
    execution = Execution(painter(), Request("r", "painter", tasks()), models.stream)
    batches = [await anext(execution) for _ in range(2)]
    await asyncio.sleep(0.05)
    assert models.running == {"denoise"}
    assert len(batches[1]) == 1
    await execution.closed()


async def test_a_stream_is_continued_by_number():
    whole = await run(Models(), tasks(2))
    rest = await run(Models(), tasks(2), resume_from=(2, 4))
    kept = [event for event in whole if event.sequence >= (2, 4)[event.body.item]]
    assert _outline(rest) == _outline(kept)


def _outline(events: list[Event]) -> list[tuple[int, int, type]]:
    return [(event.sequence, event.body.item, type(event.body)) for event in events]


async def test_usage_says_where_the_steps_were_taken():
    result = (await run(Models()))[-1].body
    assert {part.stage for part in result.usage.stages} == {"read", "nothing", "denoise", "paint"}


_CHOOSE = """
[choose]
candidates = 3
by = ["weigh"]

[stages.weigh]
model = "faces"
task = "score"
"""
_WEIGH = """
[[edges]]
from = "paint"
to = "weigh.source"
media = "image"
"""
CHOOSING = PAINTING.replace("\n[stages.read]", _CHOOSE + "\n[stages.read]", 1) + _WEIGH


async def test_of_several_candidates_the_likeliest_is_the_answer():
    models = Models()
    weights = {0: 1.0, 1: 3.0, 2: 2.0, 3: 9.0, 4: 8.0, 5: 7.0}
    plain = models.stream

    async def stream(request: Request):
        if request.request_id != "r/weigh":
            async with aclosing(plain(request)) as batches:
                async for batch in batches:
                    yield batch
            return
        yield tuple(Event(0, Result(t.index, Likelihood(weights[t.index], 1, Estimator.EXACT))) for t in request.tasks)

    execution = Execution(painter(CHOOSING), Request("r", "painter", tasks(2)), stream)
    events = [event async for batch in execution for event in batch]
    results = [event.body for event in events if isinstance(event.body, Result)]
    drawn = [_answer(task).mean.flat[0] for task in models.asked("denoise")]
    assert [result.item for result in results] == [0, 1]
    assert [result.content.pixels.flat[0] for result in results] == [drawn[1], drawn[3]]
    assert len([event for event in events if isinstance(event.body, Progress)]) == 2 * STEPS
    # The prompt is read once for all candidates.
    steps = {part.stage: part.steps for part in results[0].usage.stages}
    assert (steps["read"], steps["denoise"], steps["paint"]) == (1, 3, 3)
