"""Bytes of any kind, and what protobuf lets through."""

import time
from math import inf, nan

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from sextant.contract import wire
from sextant.contract.errors import FieldViolation, InvalidRequest, MalformedMessage
from sextant.contract.v1 import generation_pb2, media_pb2
from sextant.contract.violations import MOST_VIOLATIONS
from tests.contract.strategies import REQUESTS, descriptor_of, leaves, message_with, messages, violations_of

FLOATS = {FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE}
ENUMS = {FieldDescriptor.TYPE_ENUM}
STRINGS = {FieldDescriptor.TYPE_STRING}


def ways(types: set[int]) -> list[object]:
    return [
        pytest.param(request, way, id=f"{request.DESCRIPTOR.name}.{'.'.join(field.name for field in way)}")
        for request in REQUESTS
        for way in leaves(descriptor_of(request), types)
    ]


def fault_of(message_type: type[Message], data: bytes) -> FieldViolation:
    with pytest.raises(MalformedMessage) as refusal:
        wire.parse(message_type, data)
    (violation,) = refusal.value.violations
    return violation


@given(st.data())
def test_every_message_comes_back_as_it_was(data: st.DataObject) -> None:
    message_type = data.draw(st.sampled_from(REQUESTS))
    message = data.draw(messages(message_type))
    serialised = message.SerializeToString(deterministic=True)
    assert wire.parse(message_type, serialised).SerializeToString(deterministic=True) == serialised


@given(st.sampled_from(REQUESTS), st.binary(max_size=300))
def test_arbitrary_bytes_parse_or_are_malformed_and_nothing_else(message_type: type[Message], data: bytes) -> None:
    assert all(wrong.description for wrong in violations_of(wire.parse, message_type, data))


@given(st.data())
def test_a_damaged_message_parses_or_is_malformed_and_nothing_else(data: st.DataObject) -> None:
    message_type = data.draw(st.sampled_from(REQUESTS))
    serialised = bytearray(data.draw(messages(message_type)).SerializeToString() or b"\0")
    for _ in range(data.draw(st.integers(1, 4))):
        serialised[data.draw(st.integers(0, len(serialised) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(serialised)))
    assert all(wrong.description for wrong in violations_of(wire.parse, message_type, bytes(serialised[:cut])))


@pytest.mark.parametrize(("message_type", "way"), ways(STRINGS))
def test_every_string_that_is_not_utf8_is_named_by_its_path(
    message_type: type[Message], way: list[FieldDescriptor]
) -> None:
    message, path = message_with(message_type, way, "marker")
    data = message.SerializeToString().replace(b"marker", b"mark\xffr")
    assert fault_of(message_type, data) == FieldViolation(path, "is not valid UTF-8")


def test_a_map_key_that_is_not_utf8_names_the_map() -> None:
    request = generation_pb2.GenerateRequest(conditions={"attributes": {"marker": "red"}})
    data = request.SerializeToString().replace(b"marker", b"mark\xffr")
    assert fault_of(generation_pb2.GenerateRequest, data).field == "conditions.attributes"


def test_a_string_that_runs_past_the_end_is_named() -> None:
    data = generation_pb2.GenerateRequest(prompt="once upon a time").SerializeToString()
    assert fault_of(generation_pb2.GenerateRequest, data[:-1]) == FieldViolation("prompt", "is cut short")


def test_a_nested_message_that_makes_no_sense_is_named() -> None:
    garbage = bytes([0x12, 3]) + b"\x00\x01\x02"  # ScoreRequest.items, holding a field of number 0
    fault = fault_of(generation_pb2.ScoreRequest, garbage)
    assert fault == FieldViolation("items[0]", "is not a valid sextant.v1.Media message")


def test_bytes_that_are_no_message_at_all_are_called_that() -> None:
    fault = fault_of(generation_pb2.GenerateRequest, b"\x07\x07\x07")
    assert fault == FieldViolation("", "not a valid sextant.v1.GenerateRequest message")


def test_millions_of_tiny_fields_do_not_keep_the_search_busy() -> None:
    data = b"\x38\x01" * 3_000_000 + b"\x1a\x01\xff"  # count = 1, over and over, then a broken prompt
    started = time.perf_counter()
    assert fault_of(generation_pb2.GenerateRequest, data).field == ""
    assert time.perf_counter() - started < 2.0


@pytest.mark.parametrize(("message_type", "way"), ways(FLOATS))
@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_every_number_that_is_not_finite_is_named_by_its_path(
    message_type: type[Message], way: list[FieldDescriptor], value: float
) -> None:
    message, path = message_with(message_type, way, value)
    with pytest.raises(InvalidRequest) as refusal:
        wire.check(message)
    assert [violation.field for violation in refusal.value.violations] == [path]


@pytest.mark.parametrize(("message_type", "way"), ways(ENUMS))
@pytest.mark.parametrize("value", [99, -1])
def test_every_unknown_enum_value_is_named_by_its_path(
    message_type: type[Message], way: list[FieldDescriptor], value: int
) -> None:
    message, path = message_with(message_type, way, value)
    with pytest.raises(InvalidRequest) as refusal:
        wire.check(message)
    assert [violation.field for violation in refusal.value.violations] == [path]


def test_all_that_is_wrong_is_told_at_once_in_the_order_of_the_fields() -> None:
    request = generation_pb2.GenerateRequest(
        options={"priority": 77},
        hybrid={"stages": {"decoder": {"diffusion": {"guidance": nan}}, "a": {"flow": {"temperature": inf}}}},
    )
    with pytest.raises(InvalidRequest) as refusal:
        wire.check(request)
    assert [violation.field for violation in refusal.value.violations] == [
        "options.priority",
        "hybrid.stages[a].flow.temperature",
        "hybrid.stages[decoder].diffusion.guidance",
    ]


def test_answers_fit_their_trailers_however_much_is_wrong() -> None:
    image = media_pb2.Media(image={"format": 99})
    request = generation_pb2.GenerateRequest(hybrid={"stages": {"k" * 10_000: {"flow": {"temperature": nan}}}})
    request.conditions.media.extend([image] * 1_000)
    with pytest.raises(InvalidRequest) as refusal:
        wire.check(request)
    assert len(refusal.value.violations) == MOST_VIOLATIONS
    with pytest.raises(InvalidRequest) as refusal:
        wire.check(generation_pb2.GenerateRequest(hybrid=request.hybrid))
    assert len(refusal.value.violations[0].field) < 200


def test_millions_of_empty_messages_are_refused_without_a_look_at_each() -> None:
    data = generation_pb2.ScoreRequest(items=[media_pb2.Media()] * 2_000_000).SerializeToString()
    request = wire.parse(generation_pb2.ScoreRequest, data)
    started = time.perf_counter()
    with pytest.raises(InvalidRequest) as refusal:
        wire.check(request)
    assert time.perf_counter() - started < 0.5
    assert [violation.field for violation in refusal.value.violations] == ["items"]


def test_a_sound_request_passes_in_microseconds() -> None:
    request = generation_pb2.GenerateRequest(
        options={"model": "smollm2-135m", "priority": "PRIORITY_SPEED", "seed": 7},
        prompt="Once upon a time",
        text={"max_tokens": 64, "temperature": 0.8, "top_p": 0.9, "stop": ["\n"]},
    )
    best = min(_seconds_of_check(request) for _ in range(50))
    assert best < 50e-6 * 4  # 50 microseconds on a quiet machine; four times that on a busy one


def _seconds_of_check(request: Message) -> float:
    started = time.perf_counter()
    wire.check(request)
    return time.perf_counter() - started
