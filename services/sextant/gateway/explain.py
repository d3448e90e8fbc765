"""Decisions and served models as messages."""

from sextant.bundles.manifest import Manifest
from sextant.contract.v1 import guide_pb2, models_pb2
from sextant.contract.wire_enums import (
    ESTIMATOR_TO_WIRE,
    FAMILY_BY_NAME,
    MODALITY_TO_WIRE,
    TASK_KIND_TO_WIRE,
)
from sextant.gateway.guide.decision import Candidate, Decision, RejectionReason
from sextant.replicas.served import ServedModel

_REASONS = {
    RejectionReason.TASK: guide_pb2.REJECTION_REASON_TASK,
    RejectionReason.MODALITY: guide_pb2.REJECTION_REASON_MODALITY,
    RejectionReason.GUARANTEE: guide_pb2.REJECTION_REASON_GUARANTEE,
    RejectionReason.DEADLINE: guide_pb2.REJECTION_REASON_DEADLINE,
    RejectionReason.UNAVAILABLE: guide_pb2.REJECTION_REASON_UNAVAILABLE,
    RejectionReason.GUIDE: guide_pb2.REJECTION_REASON_GUIDE,
}


def family_message(family: str) -> models_pb2.Family:
    """The family's enum value; UNSPECIFIED for an operator's own."""
    return FAMILY_BY_NAME.get(family, models_pb2.FAMILY_UNSPECIFIED)


def decision_message(decision: Decision) -> guide_pb2.Decision:
    """A decision with all its reasons."""
    message = guide_pb2.Decision(
        alternatives=[_candidate(candidate) for candidate in decision.alternatives],
        rejections=[
            guide_pb2.Rejection(
                model=rejection.model,
                family=family_message(rejection.family),
                reason=_REASONS[rejection.reason],
                explanation=rejection.explanation,
                tier=rejection.tier,
                predicted_latency_s=rejection.latency_s or 0.0,
            )
            for rejection in decision.rejections
        ],
        counterfactuals=[
            guide_pb2.Counterfactual(
                change=other.change,
                model=other.model,
                family=family_message(other.family),
                tier=other.tier,
                predicted_latency_s=other.latency_s or 0.0,
                quality=other.quality,
            )
            for other in decision.counterfactuals
        ],
        explanation=decision.explanation,
        canary=decision.canary,
    )
    if decision.choice is not None:
        message.choice.CopyFrom(_candidate(decision.choice))
    if decision.rule is not None:
        rule = decision.rule
        message.rule.CopyFrom(guide_pb2.Rule(name=rule.name, line=rule.line, reason=rule.reason))
    return message


def tier_message(choice: Candidate) -> guide_pb2.Tier:
    """How well an answer was made, and what was expected of it."""
    return guide_pb2.Tier(
        name=choice.tier.name,
        steps=choice.tier.steps,
        set_for_deadline=choice.sets_way,
        quality=choice.quality,
        predicted_latency_s=choice.latency_s or 0.0,
    )


def model_message(served: ServedModel) -> models_pb2.Model:
    """A served model, as its manifest and its replica tell."""
    manifest: Manifest = served.manifest
    message = models_pb2.Model(
        name=manifest.name,
        version=manifest.version,
        family=family_message(manifest.family),
        architecture=manifest.architecture,
        description=manifest.description,
        tasks=[TASK_KIND_TO_WIRE[task] for task in manifest.tasks],
        inputs=[MODALITY_TO_WIRE[modality] for modality in manifest.inputs],
        outputs=[MODALITY_TO_WIRE[modality] for modality in manifest.outputs],
        latent_spaces=[models_pb2.LatentSpace(id=space.id, shape=space.shape) for space in manifest.latent_spaces],
        deterministic=manifest.deterministic,
        license=manifest.license,
        provenance=manifest.provenance,
        digest=served.digest,
        size_bytes=served.size_bytes,
        measurements=[
            models_pb2.Measurement(name=m.name, value=m.value, unit=m.unit, conditions=m.conditions)
            for m in manifest.measurements
        ],
        context_tokens=manifest.context_tokens,
        providers=served.providers,
    )
    if manifest.score_estimator is not None:
        message.score_estimator = ESTIMATOR_TO_WIRE[manifest.score_estimator]
    if manifest.parity is not None:
        message.parity.CopyFrom(
            models_pb2.Parity(
                max_abs_error=manifest.parity.max_abs_error,
                max_rel_error=manifest.parity.max_rel_error,
                tolerance=manifest.parity.tolerance,
                reference=manifest.parity.reference,
            )
        )
    return message


def _candidate(candidate: Candidate) -> guide_pb2.Candidate:
    return guide_pb2.Candidate(
        model=candidate.model,
        family=family_message(candidate.family),
        version=candidate.version,
        predicted_latency_s=candidate.latency_s or 0.0,
        quality=candidate.quality,
        tier=candidate.tier.name,
    )
