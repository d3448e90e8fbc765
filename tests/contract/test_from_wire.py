"""Requests, valid and not, to tasks."""

from math import inf, nan
from typing import Any

import numpy as np
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from sextant.contract import from_wire, media
from sextant.contract.codecs import DecodeBudget, ImageFormat
from sextant.contract.errors import InvalidRequest
from sextant.contract.ranges import RANGES
from sextant.contract.tasks import (
    ChatMessage,
    FillMaskParameters,
    FlowParameters,
    GanParameters,
    InterpolationPath,
    Role,
    Size,
    TaskKind,
    TextParameters,
    VaeParameters,
)
from sextant.contract.to_wire import image_message, latent_message, media_message
from sextant.contract.v1 import generation_pb2, media_pb2
from tests.contract.strategies import REQUESTS, descriptor_of, leaves, message_with, messages, violations_of

SEED = 2**63 + 5
FLOATS = {FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE}


def convert(message: Message) -> Any:
    match message:
        case generation_pb2.GenerateRequest():
            return from_wire.generate_tasks(message, SEED)
        case generation_pb2.TransformRequest():
            return from_wire.transform_tasks(message, SEED)
        case generation_pb2.EncodeRequest():
            return from_wire.encode_tasks(message, SEED)
        case generation_pb2.DecodeRequest():
            return from_wire.decode_tasks(message, SEED)
        case generation_pb2.ScoreRequest():
            return from_wire.score_tasks(message, SEED)
        case generation_pb2.InterpolateRequest():
            return from_wire.interpolation(message)
    raise AssertionError(type(message))


def wrong_fields(message: Message) -> list[str]:
    with pytest.raises(InvalidRequest) as refusal:
        convert(message)
    return [violation.field for violation in refusal.value.violations]


def generate(**fields: Any) -> generation_pb2.GenerateRequest:
    return generation_pb2.GenerateRequest(**fields)


def text(content: str) -> media_pb2.Media:
    return media_pb2.Media(text={"content": content})


def picture(width: int = 2, height: int = 2) -> media.Image:
    return media.Image(np.zeros((height, width, 3), dtype=np.uint8))


def latent(values: Any, space: str = "celeba.z", variance: Any = None) -> media_pb2.Latent:
    spread = None if variance is None else np.asarray(variance, dtype=np.float32)
    return latent_message(media.Latent(space, np.asarray(values, dtype=np.float32), spread))


class TestGenerate:
    def test_every_item_is_the_same_task_but_for_its_index(self) -> None:
        request = generate(
            prompt="Once upon a time",
            count=3,
            conditions={"class_label": "7", "attributes": {"hair": "red"}},
            text={"max_tokens": 5, "temperature": 0.5, "stop": ["\n", "END"], "top_k": 0, "beams": 1},
        )
        tasks = convert(request)
        assert [task.index for task in tasks] == [0, 1, 2]
        assert {task.seed for task in tasks} == {SEED}
        assert {task.kind for task in tasks} == {TaskKind.GENERATE}
        assert tasks[0].prompt == "Once upon a time"
        assert tasks[0].conditions.class_label == "7"
        assert tasks[0].conditions.attributes == {"hair": "red"}
        assert tasks[0].parameters == TextParameters(
            max_tokens=5, temperature=0.5, stop=("\n", "END"), top_k=0, beams=1
        )

    def test_what_the_caller_does_not_say_stays_unsaid(self) -> None:
        (task,) = convert(generate(output="MODALITY_IMAGE"))
        assert task.prompt is None
        assert task.chat == ()
        assert task.parameters is None
        (task,) = convert(generate(prompt="x", text={}))
        assert task.parameters == TextParameters()

    def test_a_size_is_carried_and_is_the_models_own_where_nothing_is_said(self) -> None:
        size = {"width_px": 64, "height_px": 32, "duration_s": 1.5, "rows": 9}
        (task,) = convert(generate(output="MODALITY_IMAGE", size=size))
        assert task.size == Size(width_px=64, height_px=32, duration_s=1.5, rows=9)
        (task,) = convert(generate())
        assert task.size == Size()

    @pytest.mark.parametrize(
        ("parameters", "expected"),
        [
            ({"gan": {}}, GanParameters()),
            ({"gan": {"truncation": 0, "mixing_layer": 0}}, GanParameters(truncation=0.0, mixing_layer=0)),
            ({"gan": {"inversion_steps": 9}}, GanParameters(inversion_steps=9)),
            ({"vae": {}}, VaeParameters()),
            ({"vae": {"temperature": 0}}, VaeParameters(temperature=0.0)),
            ({"vae": {"importance_samples": 50}}, VaeParameters(importance_samples=50)),
            ({"flow": {}}, FlowParameters()),
            ({"flow": {"temperature": 0.5}}, FlowParameters(temperature=0.5)),
        ],
    )
    def test_parameters_of_a_family_arrive_as_they_were_said(self, parameters: Any, expected: Any) -> None:
        (task,) = convert(generate(**parameters))
        assert task.parameters == expected

    def test_zero_is_said_where_a_field_has_presence(self) -> None:
        (task,) = convert(generate(prompt="x", text={"temperature": 0, "top_k": 0, "logprobs": 0}))
        assert task.parameters == TextParameters(temperature=0.0, top_k=0, logprobs=0)

    def test_a_conversation_keeps_its_order_and_its_roles(self) -> None:
        turns = [("ROLE_SYSTEM", "Be brief."), ("ROLE_USER", "Hi"), ("ROLE_ASSISTANT", "Hello"), ("ROLE_USER", "Why?")]
        (task,) = convert(generate(chat={"messages": [{"role": role, "content": said} for role, said in turns]}))
        assert task.chat == (
            ChatMessage(Role.SYSTEM, "Be brief."),
            ChatMessage(Role.USER, "Hi"),
            ChatMessage(Role.ASSISTANT, "Hello"),
            ChatMessage(Role.USER, "Why?"),
        )

    @pytest.mark.parametrize(
        ("roles", "fields"),
        [
            ([], ["chat.messages"]),
            ([2, 3], ["chat.messages[1].role"]),
            ([2, 1, 2], ["chat.messages[1].role"]),
            ([1], ["chat.messages[0].role"]),
            ([0, 2], ["chat.messages[0].role"]),
            ([2, 9, 2], ["chat.messages[1].role"]),
        ],
    )
    def test_a_conversation_out_of_order_is_refused(self, roles: list[int], fields: list[str]) -> None:
        request = generate(chat={"messages": [{"role": role, "content": "x"} for role in roles]})
        assert wrong_fields(request) == fields

    def test_prompt_and_chat_exclude_each_other(self) -> None:
        chat = {"messages": [{"role": "ROLE_USER", "content": "Hi"}]}
        assert wrong_fields(generate(prompt="Hi", chat=chat)) == ["chat"]
        assert wrong_fields(generate(chat=chat, text={"continue_prompt": True})) == ["text.continue_prompt"]

    def test_an_empty_prompt_is_refused_and_no_prompt_is_not(self) -> None:
        assert wrong_fields(generate(prompt="")) == ["prompt"]
        assert len(convert(generate())) == 1

    def test_stop_strings_are_few_and_short(self) -> None:
        assert wrong_fields(generate(prompt="x", text={"stop": ["a", "", "é" * 129]})) == [
            "text.stop[1]",
            "text.stop[2]",
        ]
        assert wrong_fields(generate(prompt="x", text={"stop": ["a"] * 17})) == ["text.stop"]
        assert convert(generate(prompt="x", text={"stop": ["é" * 128] * 16}))
        stages = {"writer": {"text": {"stop": [""]}}}
        assert wrong_fields(generate(hybrid={"stages": stages})) == ["hybrid.stages[writer].text.stop[0]"]

    def test_all_mistakes_are_told_at_once(self) -> None:
        request = generate(prompt="", count=65, size={"duration_s": -1.0}, text={"top_p": 0, "stop": [""]})
        assert sorted(wrong_fields(request)) == ["count", "prompt", "size.duration_s", "text.stop[0]", "text.top_p"]


class TestRanges:
    @pytest.mark.parametrize(
        ("message_type", "way"),
        [
            pytest.param(request, way, id=f"{request.DESCRIPTOR.name}.{'.'.join(field.name for field in way)}")
            for request in REQUESTS
            for way in leaves(descriptor_of(request), FLOATS)
        ],
    )
    @pytest.mark.parametrize("value", [nan, inf, -inf, -0.5])
    def test_no_number_of_any_request_may_be_nan_infinite_or_negative(
        self, message_type: type[Message], way: list[FieldDescriptor], value: float
    ) -> None:
        message, path = message_with(message_type, way, value)
        assert path in wrong_fields(message)

    @pytest.mark.parametrize("name", sorted(RANGES))
    def test_every_range_names_a_field_of_a_request(self, name: str) -> None:
        numbers = set(range(1, 19)) - {FieldDescriptor.TYPE_MESSAGE}
        assert any(way[-1].full_name == name for request in REQUESTS for way in leaves(descriptor_of(request), numbers))

    @pytest.mark.parametrize(
        ("parameters", "field", "inside", "outside"),
        [
            ("text", "max_tokens", [1, 2**32 - 1], [0]),
            ("text", "temperature", [0, 10], [10.001]),
            ("text", "top_p", [1e-6, 1], [0, 1.001]),
            ("text", "min_p", [0, 1], [1.001]),
            ("text", "repetition_penalty", [1e-6, 10], [0, 10.001]),
            ("text", "logprobs", [0, 20], [21]),
            ("text", "beams", [1], [0]),
            ("diffusion", "steps", [1, 1000], [0, 1001]),
            ("diffusion", "guidance", [0, 30], [30.01]),
            ("diffusion", "eta", [0, 1], [1.001]),
            ("gan", "truncation", [0, 1], [1.001]),
            ("gan", "inversion_steps", [1, 2000], [0, 2001]),
            ("vae", "temperature", [0, 10], [10.001]),
            ("vae", "importance_samples", [1, 5000], [0, 5001]),
            ("flow", "temperature", [0, 10], [10.001]),
            ("autoregressive", "temperature", [0, 10], [10.001]),
            ("autoregressive", "top_p", [1e-6, 1], [0, 1.001]),
            ("codes", "temperature", [0, 10], [10.001]),
            ("codes", "top_p", [1e-6, 1], [0, 1.001]),
            ("codes", "guidance", [0, 30], [30.01]),
        ],
    )
    def test_ends_are_inside_and_what_lies_beyond_is_refused_alone_and_as_a_stage(
        self, parameters: str, field: str, inside: list[float], outside: list[float]
    ) -> None:
        for value in inside:
            assert convert(generate(prompt="x", **{parameters: {field: value}}))
        for value in outside:
            assert wrong_fields(generate(prompt="x", **{parameters: {field: value}})) == [f"{parameters}.{field}"]
            stages = {"first": {parameters: {field: value}}}
            path = f"hybrid.stages[first].{parameters}.{field}"
            assert wrong_fields(generate(hybrid={"stages": stages})) == [path]

    def test_counts_at_zero_take_the_default(self) -> None:
        assert len(convert(generate(prompt="x", count=0))) == 1
        assert len(convert(generate(prompt="x", count=64))) == 64
        assert wrong_fields(generate(prompt="x", count=65)) == ["count"]


class TestTransform:
    def test_a_sentence_with_blanks_becomes_a_task(self) -> None:
        request = generation_pb2.TransformRequest(source=text("A [MASK] day."), fill_mask={"candidates": 0})
        (task,) = convert(request)
        assert task.kind is TaskKind.TRANSFORM
        assert task.source == media.Text("A [MASK] day.")
        assert task.parameters == FillMaskParameters(candidates=5)
        assert task.prompt is None

    def test_candidates_and_strength_keep_to_their_ranges(self) -> None:
        request = generation_pb2.TransformRequest(source=text("x"), fill_mask={"candidates": 101}, strength=0)
        assert sorted(wrong_fields(request)) == ["fill_mask.candidates", "strength"]
        assert convert(generation_pb2.TransformRequest(source=text("x"), fill_mask={"candidates": 100}, strength=1))

    def test_something_must_be_given(self) -> None:
        assert wrong_fields(generation_pb2.TransformRequest()) == ["source"]
        assert wrong_fields(generation_pb2.TransformRequest(source=text(""))) == ["source.text.content"]

    def test_a_mask_is_a_picture_as_large_as_the_source(self) -> None:
        source = media_message(picture(4, 3))
        assert convert(generation_pb2.TransformRequest(source=source, mask=image_message(picture(4, 3))))
        small = generation_pb2.TransformRequest(source=source, mask=image_message(picture(3, 4)))
        assert wrong_fields(small) == ["mask"]
        assert wrong_fields(generation_pb2.TransformRequest(source=text("x"), mask=small.mask)) == ["mask"]
        damaged = generation_pb2.TransformRequest(source=source, mask={"data": b"GIF89a"})
        assert wrong_fields(damaged) == ["mask.data"]

    def test_mask_and_strength_reach_the_model(self) -> None:
        source, white = picture(4, 3), media.Image(np.full((3, 4, 1), 255, dtype=np.uint8))
        request = generation_pb2.TransformRequest(source=media_message(source), mask=image_message(white), strength=0.5)
        (task,) = convert(request)
        assert np.array_equal(task.mask.pixels, white.pixels)
        assert task.strength == 0.5
        (plain,) = convert(generation_pb2.TransformRequest(source=media_message(source)))
        assert (plain.mask, plain.strength) == (None, None)


class TestItems:
    @pytest.mark.parametrize("request_type", [generation_pb2.EncodeRequest, generation_pb2.ScoreRequest])
    def test_every_item_becomes_a_task_in_its_place(self, request_type: Any) -> None:
        tasks = convert(request_type(items=[text("a"), text("b")]))
        assert [(task.index, task.source) for task in tasks] == [(0, media.Text("a")), (1, media.Text("b"))]

    @pytest.mark.parametrize("request_type", [generation_pb2.EncodeRequest, generation_pb2.ScoreRequest])
    def test_items_are_1_to_256_of_one_modality(self, request_type: Any) -> None:
        assert wrong_fields(request_type()) == ["items"]
        assert len(convert(request_type(items=[text("a")] * 256))) == 256
        assert wrong_fields(request_type(items=[text("a")] * 257)) == ["items"]
        mixed = request_type(items=[text("a"), text("b"), media_message(picture())])
        assert wrong_fields(mixed) == ["items[2]"]

    def test_each_item_that_is_wrong_is_named(self) -> None:
        items = [text("a"), text(""), media_pb2.Media(), text("")]
        request = generation_pb2.EncodeRequest(items=items)
        assert wrong_fields(request) == ["items[1].text.content", "items[2]", "items[3].text.content"]

    def test_a_context_goes_with_text_only(self) -> None:
        (task,) = convert(generation_pb2.ScoreRequest(items=[text("b")], context="a"))
        assert task.context == "a"
        request = generation_pb2.ScoreRequest(items=[media_message(picture())], context="a")
        assert wrong_fields(request) == ["context"]

    def test_pictures_that_unfold_beyond_the_budget_are_refused_together(self) -> None:
        zeros = media.Image(np.zeros((4_096, 4_096, 1), dtype=np.uint8))
        bomb = media_message(zeros)
        assert len(bomb.image.data) < 2**17
        request = generation_pb2.EncodeRequest(items=[bomb] * 6)
        assert DecodeBudget().remaining_bytes == 4 * zeros.pixels.size * 4
        assert wrong_fields(request) == ["items[4].image.data", "items[5].image.data"]


class TestMedia:
    @pytest.mark.parametrize("bad", [nan, inf, -inf])
    def test_arrays_of_a_request_are_finite(self, bad: float) -> None:
        row = np.array([[1.0, bad]])
        items: list[tuple[media.Media, str]] = [
            (media.Tensor(row), "items[0].tensor.data"),
            (media.Table(("a", "b"), row), "items[0].table.values.data"),
            (media.Latent("z", row), "items[0].latent.mean.data"),
        ]
        for content, field in items:
            assert wrong_fields(generation_pb2.EncodeRequest(items=[media_message(content)])) == [field]

    def test_a_variance_has_the_shape_of_its_mean_and_is_never_negative(self) -> None:
        def decode(message: media_pb2.Latent) -> generation_pb2.DecodeRequest:
            return generation_pb2.DecodeRequest(latents=[message])

        (task,) = convert(decode(latent([0.5, 1.5], variance=[0, 2])))
        assert isinstance(task.source, media.Latent)
        assert task.source.variance is not None
        assert task.source.variance.tolist() == [0, 2]
        assert wrong_fields(decode(latent([1, 2], variance=[1]))) == ["latents[0].variance.shape"]
        assert wrong_fields(decode(latent([1, 2], variance=[1, -1]))) == ["latents[0].variance.data"]
        assert wrong_fields(decode(latent([1, 2], variance=[1, nan]))) == ["latents[0].variance.data"]
        assert wrong_fields(decode(latent([]))) == ["latents[0].mean.shape"]
        assert wrong_fields(decode(latent([1], space=""))) == ["latents[0].space"]

    def test_latents_of_one_request_are_of_one_space(self) -> None:
        request = generation_pb2.DecodeRequest(latents=[latent([1]), latent([1], space="other")])
        assert wrong_fields(request) == ["latents[1].space"]
        assert wrong_fields(generation_pb2.DecodeRequest()) == ["latents"]

    def test_numbers_of_a_latent_are_of_a_floating_type(self) -> None:
        tensor = media_pb2.Tensor(element_type="ELEMENT_TYPE_INT32", shape=[1], data=bytes(4))
        request = generation_pb2.DecodeRequest(latents=[media_pb2.Latent(space="z", mean=tensor)])
        assert wrong_fields(request) == ["latents[0].mean.element_type"]

    @pytest.mark.parametrize(
        ("columns", "shape", "field"),
        [(["a"], [1, 2], "values.shape"), (["a", "a"], [1, 2], "columns"), (["a", "b"], [2], "values.shape")],
    )
    def test_a_table_has_one_name_for_each_column(self, columns: list[str], shape: list[int], field: str) -> None:
        values = media_pb2.Tensor(element_type="ELEMENT_TYPE_FLOAT32", shape=shape, data=bytes(8))
        item = media_pb2.Media(table=media_pb2.Table(columns=columns, values=values))
        assert wrong_fields(generation_pb2.ScoreRequest(items=[item])) == [f"items[0].table.{field}"]

    def test_a_format_that_contradicts_the_bytes_is_refused(self) -> None:
        message = media_message(picture())
        message.image.format = media_pb2.IMAGE_FORMAT_JPEG
        assert wrong_fields(generation_pb2.EncodeRequest(items=[message])) == ["items[0].image.format"]

    def test_the_format_is_told_from_the_bytes_where_nothing_is_said(self) -> None:
        for image_format in (ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.JPEG):
            message = media_pb2.Media(image=image_message(picture(), image_format))
            message.image.format = media_pb2.IMAGE_FORMAT_UNSPECIFIED
            (task,) = convert(generation_pb2.EncodeRequest(items=[message]))
            assert isinstance(task.source, media.Image)

    def test_media_among_the_conditions_are_read_and_checked(self) -> None:
        (task,) = convert(generate(conditions={"media": [media_message(picture())]}))
        assert isinstance(task.conditions.media[0], media.Image)
        request = generate(conditions={"media": [text("a"), media_pb2.Media(image={"data": b"?"})]})
        assert wrong_fields(request) == ["conditions.media[1].image.data"]
        assert wrong_fields(generate(conditions={"media": [text("a")] * 257})) == ["conditions.media"]


class TestInterpolate:
    def test_a_path_between_two_points_of_one_space_passes(self) -> None:
        start, end = media_pb2.Media(latent=latent([0, 0])), media_pb2.Media(latent=latent([1, 1]))
        convert(generation_pb2.InterpolateRequest(start=start, end=end, frames=2, traverse_index=1))
        convert(generation_pb2.InterpolateRequest())

    def test_points_that_do_not_belong_together_are_refused(self) -> None:
        start = media_pb2.Media(latent=latent([0, 0]))
        elsewhere = media_pb2.Media(latent=latent([0, 0], space="other"))
        longer = media_pb2.Media(latent=latent([0, 0, 0]))
        assert wrong_fields(generation_pb2.InterpolateRequest(start=start, end=elsewhere)) == ["end.latent.space"]
        assert wrong_fields(generation_pb2.InterpolateRequest(start=start, end=longer)) == ["end.latent.mean.shape"]
        assert wrong_fields(generation_pb2.InterpolateRequest(start=start, traverse_index=2)) == ["traverse_index"]
        words, shape = text("a"), media_message(picture())
        assert wrong_fields(generation_pb2.InterpolateRequest(start=words, end=shape)) == ["end"]
        assert convert(generation_pb2.InterpolateRequest(start=words, end=start)).start == media.Text("a")

    def test_each_row_of_a_latent_has_its_coordinates(self) -> None:
        rows = media_pb2.Media(latent=latent([[0, 0], [1, 1], [2, 2]]))
        assert convert(generation_pb2.InterpolateRequest(start=rows, traverse_index=1)).traverse_index == 1
        assert wrong_fields(generation_pb2.InterpolateRequest(start=rows, traverse_index=2)) == ["traverse_index"]
        number = media_pb2.Media(latent=latent(0.5))
        assert wrong_fields(generation_pb2.InterpolateRequest(end=number, traverse_index=1)) == ["traverse_index"]

    def test_frames_divide_the_way_evenly_and_include_both_ends(self) -> None:
        start, end = media.Latent("z", np.zeros(2)), media.Latent("z", np.ones(2))
        path = convert(generation_pb2.InterpolateRequest(path="INTERPOLATION_PATH_SPHERICAL", frames=5))
        tasks = path.tasks(SEED, start, end)
        assert [task.walk.position for task in tasks] == [0, 0.25, 0.5, 0.75, 1]
        assert [task.index for task in tasks] == [0, 1, 2, 3, 4]
        assert {(task.kind, task.seed, task.walk.path) for task in tasks} == {
            (TaskKind.INTERPOLATE, SEED, InterpolationPath.SPHERICAL)
        }
        assert all(task.walk.start is start and task.walk.end is end for task in tasks)

    def test_what_is_not_said_of_a_path_is_sixteen_frames_and_the_models_own_way(self) -> None:
        path = convert(generation_pb2.InterpolateRequest())
        tasks = path.tasks(SEED, None, None)
        assert len(tasks) == 16
        assert {task.walk.traverse_index for task in tasks} == {None}
        assert {task.walk.path for task in tasks} == {None}
        zeroth = convert(generation_pb2.InterpolateRequest(traverse_index=0)).tasks(SEED, None, None)
        assert {task.walk.traverse_index for task in zeroth} == {0}

    def test_frames_and_path_keep_to_what_is_listed(self) -> None:
        assert wrong_fields(generation_pb2.InterpolateRequest(frames=1)) == ["frames"]
        assert wrong_fields(generation_pb2.InterpolateRequest(frames=257)) == ["frames"]
        assert wrong_fields(generation_pb2.InterpolateRequest(path=7)) == ["path"]  # type: ignore[arg-type]


def test_parameters_say_which_family_they_are_for() -> None:
    families = ["diffusion", "gan", "vae", "flow", "autoregressive", "hybrid"]
    assert [from_wire.parameters_family(generate(**{family: {}})) for family in families] == families
    assert from_wire.parameters_family(generate(text={})) == "transformer"
    assert from_wire.parameters_family(generate(codes={})) == "transformer"
    assert from_wire.parameters_family(generation_pb2.TransformRequest(fill_mask={})) == "transformer"
    assert from_wire.parameters_family(generate()) is None
    assert from_wire.parameters_family(generation_pb2.DecodeRequest()) is None


@given(st.data())
def test_any_request_becomes_tasks_or_is_refused_and_nothing_else(data: st.DataObject) -> None:
    message = data.draw(messages(data.draw(st.sampled_from(REQUESTS))))
    assert all(wrong.description for wrong in violations_of(convert, message))
