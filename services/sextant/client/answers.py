"""What the client gives back: plain dataclasses and NumPy arrays, never protobuf."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from google.protobuf.json_format import MessageToDict
from numpy.typing import NDArray

from sextant.client.errors import reading
from sextant.contract.events import Estimator, FinishReason, Likelihood, Progress, TokenAlternative, TokenLogProb
from sextant.contract.media import Audio, Latent, Media, Modality
from sextant.contract.media_from_wire import read_audio, read_latent, read_media
from sextant.contract.tasks import TaskKind
from sextant.contract.v1 import generation_pb2, guide_pb2, models_pb2
from sextant.contract.wire_enums import (
    ESTIMATOR_FROM_WIRE,
    FINISH_REASON_FROM_WIRE,
    MODALITY_FROM_WIRE,
    NAME_OF_FAMILY,
    TASK_KIND_FROM_WIRE,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ItemUsage:
    """What one item used; `sha256` is of its content, in hexadecimal."""

    sha256: str
    steps: int
    prompt_tokens: int
    generated_tokens: int


@dataclass(frozen=True, slots=True)
class Choice:
    """A model of a decision: what is expected of it (0 where nothing was measured), or in `note` why it was left out.

    Of a counterfactual, `note` is the change that would make it the choice. `quality` is from 0 to 1.
    """

    model: str
    family: str
    note: str = ""
    predicted_latency_s: float = 0.0
    quality: float = 0.0


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision of the guide. `model` is "" where nothing fits; `rule` is "name, line n" or "" if named outright.

    `reason` is the rule's, as its author wrote it; `explanation` is this decision's.
    """

    model: str
    family: str
    rule: str
    reason: str
    explanation: str
    predicted_latency_s: float
    quality: float
    alternatives: tuple[Choice, ...]
    rejections: tuple[Choice, ...]
    counterfactuals: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """How an answer came about; times in seconds."""

    request_id: str
    model: str
    version: str
    bundle_digest: str
    seed: int
    provider: str
    onnxruntime_version: str
    sextant_version: str
    items: tuple[ItemUsage, ...]
    queue_s: float
    first_event_s: float
    total_s: float
    retries: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request was taken in: the first event of every stream."""

    request_id: str
    seed: int
    decision: Decided


@dataclass(frozen=True, slots=True)
class AudioPiece:
    """More sound of item `item`."""

    audio: Audio
    item: int = 0


@dataclass(frozen=True, slots=True)
class TextPiece:
    """More text of item `item`; `tokens` only where log-probabilities were asked for."""

    text: str
    item: int = 0
    tokens: tuple[TokenLogProb, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole item."""

    item: int
    media: Media
    finish_reason: FinishReason
    fills: tuple[tuple[TokenAlternative, ...], ...] = ()


# What a stream yields, in this order: one Accepted, any number of the next three, an Answer per item, a Receipt.
Event = Accepted | Progress | TextPiece | AudioPiece | Answer | Receipt


class Listed(list[T]):
    """One answer per item, in their order, and the receipt of them all."""

    def __init__(self, items: Iterable[T], receipt: Receipt) -> None:
        super().__init__(items)
        self.receipt = receipt


@dataclass(frozen=True, slots=True)
class Served:
    """A model that is served."""

    name: str
    version: str
    family: str
    architecture: str
    description: str
    tasks: tuple[TaskKind, ...]
    inputs: tuple[Modality, ...]
    outputs: tuple[Modality, ...]
    license: str
    digest: str
    size_bytes: int
    context_tokens: int
    providers: tuple[str, ...]
    max_rel_error: float


def receipt(message: generation_pb2.Receipt) -> Receipt:
    """A receipt as it came."""
    return Receipt(
        request_id=message.request_id,
        model=message.model,
        version=message.version,
        bundle_digest=message.bundle_digest,
        seed=message.seed,
        provider=message.provider,
        onnxruntime_version=message.onnxruntime_version,
        sextant_version=message.sextant_version,
        items=tuple(ItemUsage(i.sha256.hex(), i.steps, i.prompt_tokens, i.generated_tokens) for i in message.items),
        queue_s=message.queue_s,
        first_event_s=message.first_event_s,
        total_s=message.total_s,
        retries=message.retries,
    )


def decided(message: guide_pb2.Decision) -> Decided:
    """A decision as it came."""

    def family(value: models_pb2.Family) -> str:
        return NAME_OF_FAMILY.get(value, "")

    rule = f"{message.rule.name}, line {message.rule.line}" if message.HasField("rule") else ""
    return Decided(
        model=message.choice.model,
        family=family(message.choice.family),
        rule=rule,
        reason=message.rule.reason,
        explanation=message.explanation,
        predicted_latency_s=message.choice.predicted_latency_s,
        quality=message.choice.quality,
        alternatives=tuple(
            Choice(c.model, family(c.family), predicted_latency_s=c.predicted_latency_s, quality=c.quality)
            for c in message.alternatives
        ),
        rejections=tuple(Choice(r.model, family(r.family), r.explanation) for r in message.rejections),
        counterfactuals=tuple(Choice(c.model, family(c.family), c.change) for c in message.counterfactuals),
    )


def event(message: generation_pb2.GenerateEvent) -> Event | None:
    """An event as it came; None for a kind that this version does not know. `InvalidRequest` for broken media."""
    match message.WhichOneof("event"):
        case "accepted":
            accepted = message.accepted
            return Accepted(accepted.request_id, accepted.seed, decided(accepted.decision))
        case "progress":
            told = message.progress
            preview = read_media(told.preview) if told.HasField("preview") else None
            return Progress(told.item, told.step, told.total_steps, preview)
        case "chunk":
            return _piece(message.chunk)
        case "result":
            return _answer(message.result)
        case "receipt":
            return receipt(message.receipt)
    return None


def _piece(chunk: generation_pb2.Chunk) -> TextPiece | AudioPiece | None:
    match chunk.WhichOneof("kind"):
        case "text":
            return TextPiece(chunk.text.content, chunk.item, tuple(_token(token) for token in chunk.text.tokens))
        case "audio":
            return AudioPiece(read_audio(chunk.audio), chunk.item)
    return None


def _answer(result: generation_pb2.Result) -> Answer:
    return Answer(
        result.item,
        read_media(result.media),
        FINISH_REASON_FROM_WIRE.get(result.finish_reason, FinishReason.COMPLETE),
        tuple(tuple(_alternative(candidate) for candidate in fill.candidates) for fill in result.fills),
    )


def encoded(message: generation_pb2.EncodeResponse) -> Listed[NDArray[np.floating]]:
    """Latents as they came: the points, or the means of the distributions."""
    with reading():
        return Listed((read_latent(latent).mean for latent in message.latents), receipt(message.receipt))


def latents(message: generation_pb2.EncodeResponse) -> Listed[Latent]:
    """Latents as they came, with their spaces and variances."""
    with reading():
        return Listed((read_latent(latent) for latent in message.latents), receipt(message.receipt))


def decoded(message: generation_pb2.DecodeResponse) -> Listed[Media]:
    """Media as they came, pictures as pixels."""
    with reading():
        return Listed((read_media(item) for item in message.items), receipt(message.receipt))


def scored(message: generation_pb2.ScoreResponse) -> Listed[Likelihood]:
    """Likelihoods as they came."""
    return Listed((_likelihood(found) for found in message.likelihoods), receipt(message.receipt))


def _likelihood(message: generation_pb2.Likelihood) -> Likelihood:
    return Likelihood(
        message.log_likelihood_nats,
        message.dimensions,
        ESTIMATOR_FROM_WIRE.get(message.estimator, Estimator.ESTIMATE),
        message.standard_error_nats,
        tuple(_token(token) for token in message.tokens),
    )


def served(message: models_pb2.Model) -> Served:
    """A model as it came, without what this version has no name for."""
    return Served(
        name=message.name,
        version=message.version,
        family=NAME_OF_FAMILY.get(message.family, ""),
        architecture=message.architecture,
        description=message.description,
        tasks=_known(TASK_KIND_FROM_WIRE, message.tasks),
        inputs=_known(MODALITY_FROM_WIRE, message.inputs),
        outputs=_known(MODALITY_FROM_WIRE, message.outputs),
        license=message.license,
        digest=message.digest,
        size_bytes=message.size_bytes,
        context_tokens=message.context_tokens,
        providers=tuple(message.providers),
        max_rel_error=message.parity.max_rel_error,
    )


def as_json(message: generation_pb2.GenerateEvent) -> dict[str, Any]:
    """A raw event in the contract's own JSON form (protobuf.dev/programming-guides/json), every field present."""
    found: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return found


def _known(names: dict[Any, T], values: Iterable[Any]) -> tuple[T, ...]:
    return tuple(names[value] for value in values if value in names)


def _token(token: generation_pb2.TokenLogProb) -> TokenLogProb:
    alternatives = tuple(_alternative(alternative) for alternative in token.alternatives)
    return TokenLogProb(token.token_id, token.token, token.logprob_nats, alternatives)


def _alternative(alternative: generation_pb2.TokenAlternative) -> TokenAlternative:
    return TokenAlternative(alternative.token_id, alternative.token, alternative.logprob_nats)
