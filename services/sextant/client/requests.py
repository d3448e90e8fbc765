"""Requests, built from plain arguments; shared by both clients. What cannot be sent raises `InvalidArgument`."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, TypedDict, TypeVar, cast

from grpc_health.v1 import health_pb2

from sextant.client.errors import invalid
from sextant.contract.codecs import AudioFormat, ImageFormat
from sextant.contract.media import Image, Media, Modality, Text
from sextant.contract.options import PRIORITY_TO_WIRE, Priority
from sextant.contract.tasks import ChatMessage, Conditions, TaskKind
from sextant.contract.to_wire import image_message, media_message
from sextant.contract.v1 import generation_pb2, guide_pb2, media_pb2, models_pb2
from sextant.contract.wire_enums import (
    AUDIO_FORMAT_TO_WIRE,
    IMAGE_FORMAT_TO_WIRE,
    MODALITY_TO_WIRE,
    ROLE_TO_WIRE,
    TASK_KIND_TO_WIRE,
)

Prompt = str | Sequence[ChatMessage]
_Enum = TypeVar("_Enum", bound=StrEnum)


class CallOptions(TypedDict, total=False):
    """Who should answer, and how; what is left out is the caller's silence."""

    model: str
    # One of `sextant.contract.options.Priority`.
    priority: Priority | str | None
    # Drawn by the server where it is left out, and told in the receipt.
    seed: int | None
    request_id: str
    # What must hold.
    deterministic: bool
    exact_likelihood: bool
    latent_space: str


class TextOptions(CallOptions, total=False):
    """The same, and how a language model samples; what is left out (or None) is the model's own default."""

    count: int
    max_tokens: int | None
    temperature: float | None
    top_k: int | None
    top_p: float | None
    min_p: float | None
    repetition_penalty: float | None
    stop: Sequence[str]
    logprobs: int | None
    continue_prompt: bool
    ignore_end_of_text: bool


class GenerateOptions(TextOptions, total=False):
    """The same, and what else can be asked of something to be made; 0 and None take the model's own."""

    output: Modality | str | None
    conditions: Conditions
    width_px: int
    height_px: int
    duration_s: float
    rows: int
    image_format: ImageFormat | str | None
    audio_format: AudioFormat | str | None


class TransformOptions(CallOptions, total=False):
    """How something given is to be changed."""

    prompt: str
    conditions: Conditions
    # Where a picture is to be changed: white is changed, black is kept.
    mask: Image
    # How far to depart from the source, above 0 to 1.
    strength: float | None
    count: int
    # For a text with blanks: how many candidates to report for each.
    candidates: int | None
    image_format: ImageFormat | str | None
    audio_format: AudioFormat | str | None


_SAMPLING = frozenset(TextOptions.__annotations__) - frozenset(CallOptions.__annotations__) - {"count"}
_SIZE = ("width_px", "height_px", "duration_s", "rows")


def options(given: CallOptions) -> generation_pb2.Options:
    """The options that every request carries."""
    message = generation_pb2.Options()
    for name in ("model", "seed", "request_id"):
        _set(message, name, given.get(name), f"options.{name}")
    if (priority := given.get("priority")) is not None:
        message.priority = PRIORITY_TO_WIRE[_named(Priority, priority, "options.priority")]
    for name in ("deterministic", "exact_likelihood", "latent_space"):
        _set(message.guarantees, name, given.get(name), f"options.guarantees.{name}")
    return message


def text_request(prompt: Prompt, given: TextOptions) -> generation_pb2.GenerateRequest:
    """A prompt, or a conversation, to be answered in text."""
    message = generate_request(prompt, cast(GenerateOptions, given))
    message.text.SetInParent()
    if not given.get("model"):
        message.output = MODALITY_TO_WIRE[Modality.TEXT]
    return message


def generate_request(prompt: Prompt | None, given: GenerateOptions) -> generation_pb2.GenerateRequest:
    """Something to be made."""
    message = generation_pb2.GenerateRequest(options=options(given))
    if isinstance(prompt, str):
        _set(message, "prompt", prompt, "prompt")
    elif prompt is not None:
        message.chat.SetInParent()
        for index, said in enumerate(prompt):
            _set(message.chat.messages.add(role=ROLE_TO_WIRE[said.role]), "content", said.content,
                 f"chat.messages[{index}].content")  # fmt: skip
    if (output := given.get("output")) is not None:
        message.output = MODALITY_TO_WIRE[_named(Modality, output, "output")]
    _set(message, "count", given.get("count"), "count")
    for name in _SIZE:
        _set(message.size, name, given.get(name) or None, f"size.{name}")
    for name, value in given.items():
        if name in _SAMPLING:
            _set(message.text, name, value or None if name == "stop" else value, f"text.{name}")
    _condition(message, given.get("conditions"))
    _encoding(message, given.get("image_format"), given.get("audio_format"))
    return message


def transform_request(source: Media | str, given: TransformOptions) -> generation_pb2.TransformRequest:
    """Something to change; a string is a text with blanks."""
    message = generation_pb2.TransformRequest(options=options(given), source=_media(source, "source"))
    for name in ("prompt", "strength", "count"):
        _set(message, name, given.get(name), name)
    _set(message.fill_mask, "candidates", given.get("candidates"), "fill_mask.candidates")
    if (mask := given.get("mask")) is not None:
        with _blaming("mask"):
            message.mask.CopyFrom(image_message(mask))
    _condition(message, given.get("conditions"))
    _encoding(message, given.get("image_format"), given.get("audio_format"))
    return message


def encode_request(items: Iterable[Media | str], given: CallOptions) -> generation_pb2.EncodeRequest:
    """Items to encode; strings are texts."""
    return generation_pb2.EncodeRequest(options=options(given), items=_items(items))


def score_request(items: Iterable[Media | str], context: str, given: CallOptions) -> generation_pb2.ScoreRequest:
    """Items to score; strings are texts."""
    message = generation_pb2.ScoreRequest(options=options(given), items=_items(items))
    _set(message, "context", context, "context")
    return message


def decide_request(
    task: TaskKind | str,
    takes: Modality | str | None,
    makes: Modality | str | None,
    deadline_s: float,
    given: CallOptions,
) -> guide_pb2.DecideRequest:
    """What to decide for."""
    chosen = options(given)
    return guide_pb2.DecideRequest(
        task=TASK_KIND_TO_WIRE[_named(TaskKind, task, "task")],
        input=MODALITY_TO_WIRE[_named(Modality, takes, "input")] if takes else None,
        output=MODALITY_TO_WIRE[_named(Modality, makes, "output")] if makes else None,
        priority=chosen.priority,
        guarantees=chosen.guarantees,
        deadline_s=deadline_s,
        model=chosen.model,
    )


def model_request(name: str) -> models_pb2.GetModelRequest:
    """A model to describe."""
    message = models_pb2.GetModelRequest()
    _set(message, "name", name, "name")
    return message


def health_request(service: str) -> health_pb2.HealthCheckRequest:
    """A service to ask about; "" for the whole gateway."""
    return health_pb2.HealthCheckRequest(service=service)


def _condition(message: Any, conditions: Conditions | None) -> None:
    if conditions is None:
        return
    _set(message.conditions, "class_label", conditions.class_label, "conditions.class_label")
    with _blaming("conditions.attributes"):
        message.conditions.attributes.update(conditions.attributes)
    message.conditions.media.extend(
        _media(item, f"conditions.media[{index}]") for index, item in enumerate(conditions.media)
    )


def _encoding(message: Any, image: ImageFormat | str | None, audio: AudioFormat | str | None) -> None:
    if image is not None:
        message.encoding.image = IMAGE_FORMAT_TO_WIRE[_named(ImageFormat, image, "encoding.image")]
    if audio is not None:
        message.encoding.audio = AUDIO_FORMAT_TO_WIRE[_named(AudioFormat, audio, "encoding.audio")]


def _items(items: Iterable[Media | str]) -> list[media_pb2.Media]:
    return [_media(item, f"items[{index}]") for index, item in enumerate(items)]


def _media(item: Media | str, field: str) -> media_pb2.Media:
    with _blaming(field):
        return media_message(Text(item) if isinstance(item, str) else item)


def _named(kind: type[_Enum], name: str, field: str) -> _Enum:
    """The member of `kind` that is called `name`."""
    try:
        return kind(name)
    except ValueError:
        raise invalid(field, f"must be one of {', '.join(kind)}, not {name!r}") from None


def _set(message: Any, name: str, value: object, field: str) -> None:
    """Set a field unless the value is None; lists replace what is there."""
    if value is None:
        return
    with _blaming(field):
        if isinstance(value, Sequence) and not isinstance(value, str):
            getattr(message, name).extend(value)
        else:
            setattr(message, name, value)


@contextmanager
def _blaming(field: str) -> Iterator[None]:
    """Protobuf's own refusals (out of range, wrong type, not UTF-8) as ours, which name the field."""
    try:
        yield
    except UnicodeEncodeError:
        raise invalid(field, "is not valid UTF-8") from None
    except (ValueError, TypeError) as error:
        raise invalid(field, str(error)) from error
