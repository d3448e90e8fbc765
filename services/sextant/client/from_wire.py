"""Messages of a gateway, as what the client gives back. `ServerError` where they do not keep the contract."""

from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sextant.client import answers
from sextant.client.errors import reading
from sextant.contract.events import Estimator, FinishReason, Likelihood, Progress, TokenAlternative, TokenLogProb
from sextant.contract.media import Latent, Media
from sextant.contract.media_from_wire import read_audio, read_latent, read_media
from sextant.contract.options import PRIORITY_FROM_WIRE
from sextant.contract.v1 import generation_pb2, guide_pb2, models_pb2
from sextant.contract.wire_enums import (
    ESTIMATOR_FROM_WIRE,
    FINISH_REASON_FROM_WIRE,
    MODALITY_FROM_WIRE,
    NAME_OF_FAMILY,
    TASK_KIND_FROM_WIRE,
)

T = TypeVar("T")


def receipt(message: generation_pb2.Receipt) -> answers.Receipt:
    """A receipt as it came."""
    return answers.Receipt(
        request_id=message.request_id,
        model=message.model,
        version=message.version,
        bundle_digest=message.bundle_digest,
        seed=message.seed,
        provider=message.provider,
        onnxruntime_version=message.onnxruntime_version,
        sextant_version=message.sextant_version,
        items=tuple(
            answers.ItemUsage(
                i.sha256.hex(),
                i.steps,
                i.prompt_tokens,
                i.generated_tokens,
                FINISH_REASON_FROM_WIRE.get(i.finish_reason, FinishReason.COMPLETE),
            )
            for i in message.items
        ),
        queue_s=message.queue_s,
        first_event_s=message.first_event_s,
        total_s=message.total_s,
        retries=message.retries,
        tier=_tier(message.tier) if message.HasField("tier") else None,
        stages=tuple(
            answers.StageReceipt(
                s.stage,
                s.model,
                NAME_OF_FAMILY.get(s.family, ""),
                s.version,
                s.bundle_digest,
                s.provider,
                s.steps,
                s.onnxruntime_version,
            )
            for s in message.stages
        ),
        numpy_version=message.numpy_version,
        processor=message.processor,
    )


def _tier(message: guide_pb2.Tier) -> answers.Tier:
    figures = message.quality, message.predicted_latency_s
    return answers.Tier(message.name, message.steps, message.set_for_deadline, *figures)


def decided(message: guide_pb2.Decision) -> answers.Decided:
    """A decision as it came."""

    def family(value: models_pb2.Family) -> str:
        return NAME_OF_FAMILY.get(value, "")

    rule = f"{message.rule.name}, line {message.rule.line}" if message.HasField("rule") else ""
    return answers.Decided(
        model=message.choice.model,
        family=family(message.choice.family),
        rule=rule,
        reason=message.rule.reason,
        explanation=message.explanation,
        predicted_latency_s=message.choice.predicted_latency_s,
        quality=message.choice.quality,
        alternatives=tuple(
            answers.Choice(c.model, family(c.family), "", c.predicted_latency_s, c.quality, c.tier)
            for c in message.alternatives
        ),
        rejections=tuple(
            answers.Choice(r.model, family(r.family), r.explanation, r.predicted_latency_s, tier=r.tier)
            for r in message.rejections
        ),
        counterfactuals=tuple(
            answers.Choice(c.model, family(c.family), c.change, c.predicted_latency_s, c.quality, c.tier)
            for c in message.counterfactuals
        ),
        tier=message.choice.tier,
        canary=message.canary,
        understood=_understood(message.understood) if message.HasField("understood") else None,
    )


def _understood(message: guide_pb2.Understood) -> answers.Understood:
    priority = PRIORITY_FROM_WIRE.get(message.priority)
    return answers.Understood(
        row=message.row,
        confidence=message.confidence,
        task=str(TASK_KIND_FROM_WIRE.get(message.task, "")),
        input=str(MODALITY_FROM_WIRE.get(message.input, "")),
        output=str(MODALITY_FROM_WIRE.get(message.output, "")),
        priority="" if priority is None else str(priority),
        class_label=message.class_label,
    )


def event(message: generation_pb2.GenerateEvent) -> answers.Event | None:
    """An event as it came; None for a kind that this version does not know. `InvalidRequest` for broken media."""
    match message.WhichOneof("event"):
        case "accepted":
            accepted = message.accepted
            return answers.Accepted(accepted.request_id, accepted.seed, decided(accepted.decision))
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


def _piece(chunk: generation_pb2.Chunk) -> answers.TextPiece | answers.AudioPiece | None:
    match chunk.WhichOneof("kind"):
        case "text":
            return answers.TextPiece(
                chunk.text.content, chunk.item, tuple(_token(token) for token in chunk.text.tokens)
            )
        case "audio":
            return answers.AudioPiece(read_audio(chunk.audio), chunk.item)
    return None


def _answer(result: generation_pb2.Result) -> answers.Answer:
    return answers.Answer(
        result.item,
        read_media(result.media),
        FINISH_REASON_FROM_WIRE.get(result.finish_reason, FinishReason.COMPLETE),
        tuple(tuple(_alternative(candidate) for candidate in fill.candidates) for fill in result.fills),
    )


def encoded(message: generation_pb2.EncodeResponse) -> answers.Listed[NDArray[np.floating]]:
    """Latents as they came: the points, or the means of the distributions."""
    with reading():
        return answers.Listed((read_latent(latent).mean for latent in message.latents), receipt(message.receipt))


def latents(message: generation_pb2.EncodeResponse) -> answers.Listed[Latent]:
    """Latents as they came, with their spaces and variances."""
    with reading():
        return answers.Listed((read_latent(latent) for latent in message.latents), receipt(message.receipt))


def decoded(message: generation_pb2.DecodeResponse) -> answers.Listed[Media]:
    """Media as they came, pictures as pixels."""
    with reading():
        return answers.Listed((read_media(item) for item in message.items), receipt(message.receipt))


def scored(message: generation_pb2.ScoreResponse) -> answers.Listed[Likelihood]:
    """Likelihoods as they came."""
    return answers.Listed((_likelihood(found) for found in message.likelihoods), receipt(message.receipt))


def _likelihood(message: generation_pb2.Likelihood) -> Likelihood:
    return Likelihood(
        message.log_likelihood_nats,
        message.dimensions,
        ESTIMATOR_FROM_WIRE.get(message.estimator, Estimator.ESTIMATE),
        message.standard_error_nats,
        tuple(_token(token) for token in message.tokens),
    )


def served(message: models_pb2.Model) -> answers.Served:
    """A model as it came, without what this version has no name for."""
    return answers.Served(
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


def _known(names: dict[Any, T], values: Iterable[Any]) -> tuple[T, ...]:
    return tuple(names[value] for value in values if value in names)


def _token(token: generation_pb2.TokenLogProb) -> TokenLogProb:
    alternatives = tuple(_alternative(alternative) for alternative in token.alternatives)
    return TokenLogProb(token.token_id, token.token, token.logprob_nats, alternatives)


def _alternative(alternative: generation_pb2.TokenAlternative) -> TokenAlternative:
    return TokenAlternative(alternative.token_id, alternative.token, alternative.logprob_nats)
