"""Hypothesis strategies for messages of any type, and the paths that lead through a type."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

from sextant.contract.errors import FieldViolation, InvalidRequest
from sextant.contract.media import Audio, Image
from sextant.contract.v1 import generation_pb2

REQUESTS: list[type[Message]] = [
    generation_pb2.GenerateRequest,
    generation_pb2.TransformRequest,
    generation_pb2.InterpolateRequest,
    generation_pb2.EncodeRequest,
    generation_pb2.DecodeRequest,
    generation_pb2.ScoreRequest,
]

_SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_STRING: st.text(max_size=8),
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=64),
    FieldDescriptor.TYPE_UINT32: st.integers(0, 2**32 - 1) | st.integers(0, 4),
    FieldDescriptor.TYPE_UINT64: st.integers(0, 2**64 - 1),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_FLOAT: st.floats(width=32),
    FieldDescriptor.TYPE_DOUBLE: st.floats(),
    FieldDescriptor.TYPE_ENUM: st.integers(-1, 9),
}


def violations_of(action: Callable[..., object], *arguments: Any) -> tuple[FieldViolation, ...]:
    """What `action` refuses its arguments for; nothing where it takes them. Other errors pass through."""
    try:
        action(*arguments)
    except InvalidRequest as refused:
        return refused.violations
    return ()


def descriptor_of(message_type: type[Message]) -> Descriptor:
    return cast(Descriptor, message_type.DESCRIPTOR)


def is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def leaf_of(field: FieldDescriptor) -> FieldDescriptor:
    """The field whose type its values have: of a map, its entries' `value`."""
    entry = field.message_type
    return entry.fields_by_name["value"] if entry is not None and is_map(field) else field


@st.composite
def messages(draw: st.DrawFn, message_type: type[Message]) -> Message:
    """Any message of the type: fields set or not, enums known or not, numbers finite or not."""
    message = message_type()
    for field in descriptor_of(message_type).fields:
        if not draw(st.booleans()):
            continue
        if is_map(field):
            for key in draw(st.lists(st.text(max_size=4), max_size=2)):
                value = draw(_values(leaf_of(field)))
                if isinstance(value, Message):
                    getattr(message, field.name)[key].CopyFrom(value)
                else:
                    getattr(message, field.name)[key] = value
        elif field.is_repeated:
            getattr(message, field.name).extend(draw(st.lists(_values(field), max_size=3)))
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(draw(_values(field)))
        else:
            setattr(message, field.name, draw(_values(field)))
    return message


def _values(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        return messages(GetMessageClass(field.message_type))
    return _SCALARS[field.type]


def leaves(descriptor: Descriptor, types: set[int]) -> Iterator[list[FieldDescriptor]]:
    """Every way from a message type down to a field of one of the scalar `types`."""
    for field in descriptor.fields:
        leaf = leaf_of(field)
        if leaf.message_type is not None:
            for rest in leaves(leaf.message_type, types):
                yield [field, *rest]
        elif leaf.type in types:
            yield [field]


def message_with(message_type: type[Message], way: list[FieldDescriptor], value: Any) -> tuple[Message, str]:
    """A message with `value` at the end of `way`, and the path by which it is to be named."""
    message = message_type()
    at: Any = message
    steps = []
    for field in way[:-1]:
        if is_map(field):
            at, step = getattr(at, field.name)["decoder"], f"{field.name}[decoder]"
        elif field.is_repeated:
            getattr(at, field.name).add()
            at, step = getattr(at, field.name).add(), f"{field.name}[1]"
        else:
            getattr(at, field.name).SetInParent()
            at, step = getattr(at, field.name), field.name
        steps.append(step)
    last = way[-1]
    if is_map(last):
        getattr(at, last.name)["hair"] = value
        steps.append(f"{last.name}[hair]")
    elif last.is_repeated:
        getattr(at, last.name).append(value)
        steps.append(f"{last.name}[0]")
    else:
        setattr(at, last.name, value)
        steps.append(last.name)
    return message, ".".join(steps)


@st.composite
def pictures(draw: st.DrawFn, channels: tuple[int, ...] = (1, 3, 4)) -> Image:
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    shape = (height, width, draw(st.sampled_from(channels)))
    size = height * width * shape[2]
    return Image(np.frombuffer(draw(st.binary(min_size=size, max_size=size)), dtype=np.uint8).reshape(shape))


@st.composite
def sounds(draw: st.DrawFn, min_frames: int = 1) -> Audio:
    """Sounds of 16-bit samples, which all encodings keep exactly."""
    frames, channels = draw(st.integers(min_frames, 40)), draw(st.integers(1, 8))
    pcm = draw(st.binary(min_size=2 * frames * channels, max_size=2 * frames * channels))
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32) / np.float32(2**15)
    return Audio(samples.reshape(frames, channels), draw(st.sampled_from([8_000, 16_000, 24_000, 44_100, 48_000])))
