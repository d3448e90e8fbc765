"""Paths through a latent space: what is asked of the model, in which order, and what the caller sees of it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

import grpc
import numpy as np
import pytest

from sextant.contract import media
from sextant.contract.errors import InvalidRequest, Overloaded
from sextant.contract.events import Event, Progress, Result, Usage
from sextant.contract.tasks import InterpolationPath, Request, TaskKind
from sextant.contract.to_wire import media_message
from sextant.contract.v1 import generation_pb2, generation_pb2_grpc, guide_pb2, guide_pb2_grpc, media_pb2, models_pb2
from sextant.gateway.dispatch import StreamStats
from tests.gateway.scripted import ScriptedDispatcher, serving
from tests.gateway.test_bad_requests import refusal
from tests.gateway.test_guide import IMAGE, LATENT, MODELS, G, I, model
from tests.gateway.test_streams import until

CODE = grpc.StatusCode
BLIND = model("blind-gan", "gan", (G, I), (IMAGE, LATENT), (IMAGE, LATENT), space="blind/z")
PICTURE = media_message(media.Image(np.full((2, 2, 1), 7, np.uint8)))


def point(*values: float, space: str = "z") -> media_pb2.Media:
    return media_message(media.Latent(space, np.float32(values)))


def path(start=None, end=None, *, name: str = "", **fields) -> generation_pb2.InterpolateRequest:
    options = generation_pb2.Options(model=name, seed=5, request_id="mine")
    return generation_pb2.InterpolateRequest(options=options, start=start, end=end, **fields)


def code_of(source: media.Media | None, index: int) -> media.Latent:
    """What the stand-in encodes an item to."""
    return media.Latent("z", np.float32([index, 10]), np.float32([1, 1]))


def walking(
    encode: Callable[[media.Media | None, int], media.Media] = code_of, steps: int = 1
) -> Callable[[Request, StreamStats], AsyncGenerator[Sequence[Event], None]]:
    """A model that encodes in `steps` steps and answers the frames of a path last first."""

    async def script(request: Request, stats: StreamStats) -> AsyncGenerator[Sequence[Event], None]:
        yield ()
        for step in range(1, steps + 1) if steps > 1 and request.tasks[0].kind is TaskKind.ENCODE else ():
            yield tuple(Event(step - 1, Progress(task.index, step, steps)) for task in request.tasks)
        for task in reversed(request.tasks):
            is_frame = task.kind is TaskKind.INTERPOLATE
            content = media.Image(np.full((2, 2, 1), task.index, np.uint8)) if is_frame else None
            made = content or encode(task.source, task.index)
            yield (Event(0, Result(task.index, made, usage=Usage(steps=1))),)

    return script


async def walk(dispatcher: ScriptedDispatcher, request: generation_pb2.InterpolateRequest, **call):
    async with serving(dispatcher) as (channel, _):
        return [e async for e in generation_pb2_grpc.GenerationStub(channel).Interpolate(request, **call)]


async def refused(dispatcher: ScriptedDispatcher, request: generation_pb2.InterpolateRequest):
    async with serving(dispatcher) as (channel, _):
        return await refusal(generation_pb2_grpc.GenerationStub(channel).Interpolate(request))


async def test_a_path_between_latents_is_one_request_of_all_its_frames():
    dispatcher = ScriptedDispatcher(MODELS, walking())
    conditions = {"attributes": {"a": "b"}}  # which the guide would look for, were no model named
    request = path(point(0, 1), point(1, 0), name="beta-vae", frames=5, path=1, traverse_index=1, conditions=conditions)
    events = await walk(dispatcher, request)
    (asked,) = dispatcher.requests
    assert [task.walk.position for task in asked.tasks] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert [task.index for task in asked.tasks] == list(range(5))
    for task in asked.tasks:
        assert (task.kind, task.seed, task.conditions.attributes) == (TaskKind.INTERPOLATE, 5, {"a": "b"})
        assert (task.walk.start.mean.tolist(), task.walk.end.mean.tolist()) == ([0, 1], [1, 0])
        assert (task.walk.path, task.walk.traverse_index) == (InterpolationPath.LINEAR, 1)
    assert [e.WhichOneof("event") for e in events] == ["accepted", *["result"] * 5, "receipt"]
    assert [e.result.item for e in events[1:-1]] == [4, 3, 2, 1, 0], "frames are sent as they finish"
    assert len(events[-1].receipt.items) == 5
    assert events[-1].receipt.model == "beta-vae"


async def test_a_path_without_ends_has_sixteen_frames_and_leaves_the_ends_to_the_model():
    dispatcher = ScriptedDispatcher(MODELS, walking())
    events = await walk(dispatcher, path())
    (asked,) = dispatcher.requests
    assert len(asked.tasks) == 16
    assert {(task.walk.start, task.walk.end, task.walk.path) for task in asked.tasks} == {(None, None, None)}
    assert len(events[-1].receipt.items) == 16


async def test_ends_that_are_data_are_encoded_first_by_the_same_model_and_their_means_are_the_ends():
    dispatcher = ScriptedDispatcher(MODELS, walking())
    events = await walk(dispatcher, path(PICTURE, PICTURE, frames=3), timeout=20)
    first, second = dispatcher.requests
    assert [(task.kind, task.index, task.seed) for task in first.tasks] == [
        (TaskKind.ENCODE, 0, 5),
        (TaskKind.ENCODE, 1, 5),
    ]
    assert all(np.array_equal(task.source.pixels, np.full((2, 2, 1), 7)) for task in first.tasks)
    assert (first.model, first.request_id) == (second.model, second.request_id) == ("beta-vae", "mine")
    assert 0 < second.budget_s < first.budget_s <= 20.5, "the encoding uses up its share of the time"
    for task in second.tasks:
        assert (task.walk.start.mean.tolist(), task.walk.end.mean.tolist()) == ([0, 10], [1, 10])
        assert task.walk.start.variance is None
    assert [e.WhichOneof("event") for e in events] == ["accepted", *["result"] * 3, "receipt"]
    assert [e.sequence for e in events] == list(range(5))
    assert len(events[-1].receipt.items) == 3
    assert dispatcher.closed == 2


async def test_one_end_may_be_data_and_the_other_a_latent():
    dispatcher = ScriptedDispatcher(MODELS, walking())
    await walk(dispatcher, path(point(3, 4), PICTURE, frames=2))
    first, second = dispatcher.requests
    assert [task.index for task in first.tasks] == [0]
    assert second.tasks[0].walk.start.mean.tolist() == [3, 4]
    assert second.tasks[0].walk.end.mean.tolist() == [0, 10]


async def test_the_class_of_a_path_is_that_of_its_encoding_too():
    dispatcher = ScriptedDispatcher(MODELS, walking())
    await walk(dispatcher, path(PICTURE, name="beta-vae", frames=2, conditions={"class_label": "bag"}))
    assert {t.conditions.class_label for request in dispatcher.requests for t in request.tasks} == {"bag"}


@pytest.mark.parametrize(
    ("start", "end", "items"), [(PICTURE, PICTURE, [0, 1]), (PICTURE, None, [0]), (point(0, 0), PICTURE, [1])]
)
async def test_progress_of_the_encoding_comes_before_the_frames_as_item_0_for_the_start_and_1_for_the_end(
    start, end, items
):
    events = await walk(ScriptedDispatcher(MODELS, walking(steps=3)), path(start, end, frames=2))
    kinds = [e.WhichOneof("event") for e in events]
    assert kinds == ["accepted", *["progress"] * 3 * len(items), "result", "result", "receipt"]
    told = [(e.progress.item, e.progress.step) for e in events if e.HasField("progress")]
    assert told == [(item, step) for step in (1, 2, 3) for item in items]
    assert [e.sequence for e in events] == list(range(len(events)))


@pytest.mark.parametrize(("start", "end"), [(PICTURE, None), (point(0, 0), PICTURE), (PICTURE, PICTURE)])
async def test_an_end_that_the_model_refuses_is_named_as_the_request_has_it(start, end):
    async def refusing(request, stats):
        last = len(request.tasks) - 1
        raise InvalidRequest(f"items[{last}].image", "is 2 x 2 pixels; the model takes 28 x 28")
        yield ()

    name = "start.image" if end is None else "end.image"
    code, reason, fields = await refused(ScriptedDispatcher(MODELS, refusing), path(start, end))
    assert (code, reason, fields) == (CODE.INVALID_ARGUMENT, "INVALID_FIELD", [name])


async def test_a_model_that_cannot_encode_is_refused_where_it_is_named_and_else_passed_over():
    models = {"blind-gan": BLIND}
    named = ScriptedDispatcher(models, walking())
    assert await refused(named, path(PICTURE, name="blind-gan")) == (CODE.FAILED_PRECONDITION, "UNSUPPORTED_TASK", [])
    assert await refused(named, path(PICTURE)) == (CODE.FAILED_PRECONDITION, "NO_ROUTE", [])
    assert named.requests == []
    both = ScriptedDispatcher({**models, "stylegan": MODELS["stylegan"]}, walking(lambda *_: code_of(None, 0)))
    events = await walk(both, path(PICTURE, frames=2))
    assert events[-1].receipt.model == "stylegan"
    assert [r.explanation for r in events[0].accepted.decision.rejections] == [
        "blind-gan cannot encode what is given, which interpolate needs"
    ]
    assert (await walk(named, path(frames=2)))[-1].receipt.model == "blind-gan", "without data it need not encode"


async def test_the_guide_tells_beforehand_who_would_walk_between_data():
    models = {"blind-gan": BLIND, "stylegan": MODELS["stylegan"]}
    async with serving(ScriptedDispatcher(models, walking())) as (channel, _):
        guide = guide_pb2_grpc.GuideStub(channel)
        for kind, chosen in ((media_pb2.MODALITY_IMAGE, "stylegan"), (media_pb2.MODALITY_UNSPECIFIED, "blind-gan")):
            wanted = guide_pb2.DecideRequest(task=models_pb2.TASK_KIND_INTERPOLATE, input=kind)
            assert (await guide.Decide(wanted)).decision.choice.model == chosen


async def test_the_space_of_a_latent_end_chooses_the_model():
    dispatcher = ScriptedDispatcher(MODELS, walking())
    assert (await walk(dispatcher, path(point(0, 0, space="glow"), frames=2)))[-1].receipt.model == "glow"


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (path(point(0, 0, space="elsewhere"), PICTURE, name="beta-vae"), "start.latent.space"),
        (path(PICTURE, point(0, 0, space="elsewhere"), name="beta-vae"), "end.latent.space"),
        (path(PICTURE, traverse_index=2), "traverse_index"),
        (path(traverse_index=2), "traverse_index"),
    ],
)
async def test_what_the_models_spaces_rule_out_is_refused_before_anything_is_encoded(request_, field):
    dispatcher = ScriptedDispatcher(MODELS, walking())
    assert await refused(dispatcher, request_) == (CODE.INVALID_ARGUMENT, "INVALID_FIELD", [field])
    assert dispatcher.requests == []


async def test_ends_that_are_encoded_to_different_shapes_are_refused():
    script = walking(lambda _, index: media.Latent("z", np.zeros((index + 1, 2), np.float32)))
    dispatcher = ScriptedDispatcher(MODELS, script)
    assert await refused(dispatcher, path(PICTURE, PICTURE)) == (CODE.INVALID_ARGUMENT, "INVALID_FIELD", ["end"])


async def test_an_end_that_does_not_come_back_is_a_defect_and_not_drawn_instead():
    async def silent(request, stats):
        yield ()

    code, _, _ = await refused(ScriptedDispatcher(MODELS, silent), path(PICTURE))
    assert code is CODE.INTERNAL
    code, _, _ = await refused(ScriptedDispatcher(MODELS, walking(lambda *_: media.Text("?"))), path(PICTURE))
    assert code is CODE.INTERNAL


async def test_a_path_that_lacks_a_frame_is_an_error_not_a_short_path():
    async def short(request, stats):
        yield (Event(0, Result(0, media.Image(np.zeros((1, 1, 1), np.uint8)))),)

    async with serving(ScriptedDispatcher(MODELS, short)) as (channel, _):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            [e async for e in generation_pb2_grpc.GenerationStub(channel).Interpolate(path(frames=2))]
    assert failed.value.code() is CODE.INTERNAL


async def test_frames_refused_for_load_after_a_single_step_of_encoding_come_instead_of_acceptance():
    encode = walking()

    async def full(request, stats):
        if request.tasks[0].kind is TaskKind.INTERPOLATE:
            raise Overloaded("full", 0.5)
        async for batch in encode(request, stats):
            yield batch

    code, reason, _ = await refused(ScriptedDispatcher(MODELS, full), path(PICTURE))
    assert (code, reason) == (CODE.RESOURCE_EXHAUSTED, "OVERLOADED")


@pytest.mark.parametrize("stage", [TaskKind.ENCODE, TaskKind.INTERPOLATE])
async def test_a_cancel_reaches_the_model_while_it_encodes_and_while_it_walks(stage):
    encode = walking()

    async def holding(request, stats):
        if request.tasks[0].kind is stage:
            yield ()
            await asyncio.sleep(60)
        async for batch in encode(request, stats):
            yield batch

    dispatcher = ScriptedDispatcher(MODELS, holding)
    streams = 1 if stage is TaskKind.ENCODE else 2
    async with serving(dispatcher) as (channel, _):
        call = generation_pb2_grpc.GenerationStub(channel).Interpolate(path(PICTURE, frames=2))
        await until(lambda: len(dispatcher.requests) == streams)
        call.cancel()
        await until(lambda: dispatcher.closed == streams, 0.5)


async def test_a_named_model_says_itself_that_a_latent_is_of_another_space():
    """The field is at fault, not the choice of model: INVALID_ARGUMENT rather than FAILED_PRECONDITION."""

    async def reading(request, stats):
        raise InvalidRequest("latents[0].space", "is elsewhere; the model reads z")
        yield ()

    async with serving(ScriptedDispatcher(MODELS, reading)) as (channel, _):
        options, latent = generation_pb2.Options(model="beta-vae"), point(0, 0, space="elsewhere").latent
        call = generation_pb2_grpc.GenerationStub(channel).Decode(
            generation_pb2.DecodeRequest(options=options, latents=[latent])
        )
        assert await refusal(call) == (CODE.INVALID_ARGUMENT, "INVALID_FIELD", ["latents[0].space"])
