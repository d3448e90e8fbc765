"""What the client gives back: plain dataclasses and NumPy arrays, never protobuf."""

from dataclasses import dataclass
from typing import Any

from google.protobuf.json_format import MessageToDict

from sextant.contract.errors import FieldViolation
from sextant.contract.events import Estimator, FinishReason, Likelihood, TokenAlternative, TokenLogProb
from sextant.contract.media import Media, Modality
from sextant.contract.media_from_wire import read_media
from sextant.contract.tasks import TaskKind
from sextant.contract.v1 import generation_pb2, guide_pb2, models_pb2
from sextant.contract.wire_enums import (
    ESTIMATOR_FROM_WIRE,
    FINISH_REASON_FROM_WIRE,
    MODALITY_FROM_WIRE,
    NAME_OF_FAMILY,
    TASK_KIND_FROM_WIRE,
)

__all__ = ["Answer", "Choice", "Decided", "FieldViolation", "Receipt", "Served", "TextPiece"]


@dataclass(frozen=True, slots=True)
class ItemUsage:
    """What one item used; `sha256` is of its content, in hexadecimal."""

    sha256: str
    steps: int
    prompt_tokens: int
    generated_tokens: int


@dataclass(frozen=True, slots=True)
class Choice:
    """A model of a decision, with what is expected of it or why it was left out."""

    model: str
    family: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision of the guide. `model` is "" where nothing fits; `rule` is "name, line n" or "" if named outright."""

    model: str
    family: str
    rule: str
    explanation: str
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
        explanation=message.explanation,
        alternatives=tuple(Choice(c.model, family(c.family)) for c in message.alternatives),
        rejections=tuple(Choice(r.model, family(r.family), r.explanation) for r in message.rejections),
        counterfactuals=tuple(Choice(c.model, family(c.family), c.change) for c in message.counterfactuals),
    )


def piece(chunk: generation_pb2.Chunk) -> TextPiece:
    """A chunk of text as it came."""
    return TextPiece(chunk.text.content, chunk.item, tuple(_token(token) for token in chunk.text.tokens))


def answer(result: generation_pb2.Result) -> Answer:
    """A whole item as it came."""
    return Answer(
        result.item,
        read_media(result.media),
        FINISH_REASON_FROM_WIRE.get(result.finish_reason, FinishReason.COMPLETE),
        tuple(tuple(_alternative(candidate) for candidate in fill.candidates) for fill in result.fills),
    )


def likelihood(message: generation_pb2.Likelihood) -> Likelihood:
    """A likelihood as it came."""
    return Likelihood(
        message.log_likelihood_nats,
        message.dimensions,
        ESTIMATOR_FROM_WIRE.get(message.estimator, Estimator.ESTIMATE),
        message.standard_error_nats,
        tuple(_token(token) for token in message.tokens),
    )


def served(message: models_pb2.Model) -> Served:
    """A model as it came."""
    return Served(
        name=message.name,
        version=message.version,
        family=NAME_OF_FAMILY.get(message.family, ""),
        architecture=message.architecture,
        description=message.description,
        tasks=tuple(TASK_KIND_FROM_WIRE[task] for task in message.tasks),
        inputs=tuple(MODALITY_FROM_WIRE[modality] for modality in message.inputs),
        outputs=tuple(MODALITY_FROM_WIRE[modality] for modality in message.outputs),
        license=message.license,
        digest=message.digest,
        size_bytes=message.size_bytes,
        context_tokens=message.context_tokens,
        providers=tuple(message.providers),
        max_rel_error=message.parity.max_rel_error,
    )


def as_json(message: Any) -> dict[str, Any]:
    """A raw event for `--json`: the contract's own JSON form, enums by name."""
    found: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    return found


def _token(token: generation_pb2.TokenLogProb) -> TokenLogProb:
    alternatives = tuple(_alternative(alternative) for alternative in token.alternatives)
    return TokenLogProb(token.token_id, token.token, token.logprob_nats, alternatives)


def _alternative(alternative: generation_pb2.TokenAlternative) -> TokenAlternative:
    return TokenAlternative(alternative.token_id, alternative.token, alternative.logprob_nats)
