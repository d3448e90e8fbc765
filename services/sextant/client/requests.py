"""Requests, built from plain arguments; shared by both clients."""

from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

from sextant.contract.media import Media, Modality, Text
from sextant.contract.options import PRIORITY_TO_WIRE, Priority
from sextant.contract.tasks import ChatMessage, TaskKind
from sextant.contract.to_wire import media_message
from sextant.contract.v1 import generation_pb2, guide_pb2
from sextant.contract.wire_enums import MODALITY_TO_WIRE, ROLE_TO_WIRE, TASK_KIND_TO_WIRE


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


def options(given: CallOptions) -> generation_pb2.Options:
    """The options that every request carries. ValueError for a priority that does not exist."""
    message = generation_pb2.Options(model=given.get("model", ""), request_id=given.get("request_id", ""))
    priority, seed = given.get("priority"), given.get("seed")
    if priority is not None:
        message.priority = PRIORITY_TO_WIRE[Priority(priority)]
    if seed is not None:
        message.seed = seed
    message.guarantees.deterministic = given.get("deterministic", False)
    message.guarantees.exact_likelihood = given.get("exact_likelihood", False)
    return message


_SAMPLING = frozenset(TextOptions.__annotations__) - frozenset(CallOptions.__annotations__) - {"count"}


def text_request(prompt: str | Sequence[ChatMessage], given: TextOptions) -> generation_pb2.GenerateRequest:
    """A prompt, or a conversation."""
    sampling: dict[str, Any] = {name: value for name, value in given.items() if name in _SAMPLING and value is not None}
    message = generation_pb2.GenerateRequest(
        options=options(given), count=given.get("count", 1), text=generation_pb2.TextParameters(**sampling)
    )
    if isinstance(prompt, str):
        message.prompt = prompt
    else:
        message.chat.messages.extend(
            generation_pb2.ChatMessage(role=ROLE_TO_WIRE[m.role], content=m.content) for m in prompt
        )
    if not given.get("model"):
        message.output = MODALITY_TO_WIRE[Modality.TEXT]
    return message


def encode_request(items: Iterable[Media | str], given: CallOptions) -> generation_pb2.EncodeRequest:
    """Items to encode; strings are texts."""
    return generation_pb2.EncodeRequest(options=options(given), items=[_media(item) for item in items])


def score_request(items: Iterable[Media | str], context: str, given: CallOptions) -> generation_pb2.ScoreRequest:
    """Items to score; strings are texts."""
    return generation_pb2.ScoreRequest(options=options(given), items=[_media(item) for item in items], context=context)


def transform_request(
    source: Media | str, candidates: int | None, given: CallOptions
) -> generation_pb2.TransformRequest:
    """Something to change; a string is a text with blanks."""
    message = generation_pb2.TransformRequest(options=options(given), source=_media(source))
    if candidates is not None:
        message.fill_mask.candidates = candidates
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
        task=TASK_KIND_TO_WIRE[TaskKind(task)],
        input=MODALITY_TO_WIRE[Modality(takes)] if takes else None,
        output=MODALITY_TO_WIRE[Modality(makes)] if makes else None,
        priority=chosen.priority,
        guarantees=chosen.guarantees,
        deadline_s=deadline_s,
        model=chosen.model,
    )


def _media(item: Media | str) -> Any:
    return media_message(Text(item) if isinstance(item, str) else item)
