"""The router: a pure function from the guide, what is served and what is wanted to a decision.

Models that cannot do it are rejected, each with its reason. The most specific row of the guide that fits says
which families to try, in order; within a family the better measured quality goes first, then the shorter
measured latency, then the name. Where speed is what matters, latency goes before quality. What was not measured
goes last. So of two unmeasured language models the first by name answers a plain prompt.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import inf

from sextant.bundles.manifest import Manifest
from sextant.contract.errors import ModelNotFound
from sextant.contract.events import Estimator
from sextant.contract.media import Modality
from sextant.contract.options import Priority
from sextant.contract.tasks import TaskKind
from sextant.contract.violations import quoted
from sextant.contract.wire_enums import FAMILY_BY_NAME
from sextant.gateway.guide.decision import (
    Candidate,
    Counterfactual,
    Decision,
    Fired,
    Rejection,
    RejectionReason,
    Wanted,
)
from sextant.gateway.guide.schema import Guide, Row
from sextant.replicas.served import ServedModel


def decide(guide: Guide, models: Mapping[str, ServedModel], wanted: Wanted) -> Decision:
    """The decision for `wanted` among `models`. Raises `ModelNotFound` where a model is named that is not served."""
    if wanted.model:
        return _named(models, wanted)
    decision = _guided(guide, models, wanted)
    return replace(decision, counterfactuals=_counterfactuals(guide, models, wanted, decision))


def _named(models: Mapping[str, ServedModel], wanted: Wanted) -> Decision:
    served = models.get(wanted.model)
    if served is None:
        raise ModelNotFound(wanted.model, tuple(sorted(models)))
    rejection = _rejection(served.manifest, wanted)
    if rejection is not None:
        return Decision(None, (), (rejection,), None, (), rejection.explanation)
    choice = _candidate(served.manifest)
    return Decision(choice, (), (), None, (), f"{wanted.model} was named outright.")


def _guided(guide: Guide, models: Mapping[str, ServedModel], wanted: Wanted) -> Decision:
    row = _row(guide, wanted)
    rejections: list[Rejection] = []
    fitting: list[tuple[int, Candidate]] = []
    for name in sorted(models):
        manifest = models[name].manifest
        rejection = _rejection(manifest, wanted) or _unfit(manifest, wanted)
        if rejection is None and (row is None or manifest.family not in row.families):
            listed = "no row of the guide fits" if row is None else f"row {row.name!r} lists {', '.join(row.families)}"
            rejection = Rejection(name, manifest.family, RejectionReason.GUIDE, f"{listed}, not {manifest.family}")
        if rejection is not None:
            rejections.append(rejection)
        elif row is not None:
            fitting.append((row.families.index(manifest.family), _candidate(manifest)))
    fitting.sort(key=lambda ranked: (ranked[0], *_merit(ranked[1], wanted), ranked[1].model))
    ranked = tuple(candidate for _, candidate in fitting)
    fired = None if row is None else Fired(row.name, row.line, row.reason)
    return Decision(
        choice=ranked[0] if ranked else None,
        alternatives=ranked[1:],
        rejections=tuple(rejections),
        rule=fired,
        counterfactuals=(),
        explanation=_explanation(row, ranked, wanted),
    )


_TRANSDUCERS = frozenset({"t5"})


def _row(guide: Guide, wanted: Wanted) -> Row | None:
    """The most specific row that fits; of equally specific ones the first."""

    def fits(row: Row) -> bool:
        return row.task is wanted.task and all(
            asked is None or asked is given
            for asked, given in (
                (row.input, wanted.input),
                (row.output, wanted.output),
                (row.priority, wanted.priority),
            )
        )

    return max((row for row in guide.rows if fits(row)), key=lambda row: row.specificity, default=None)


def _rejection(manifest: Manifest, wanted: Wanted) -> Rejection | None:
    """Why this model cannot do what is wanted; None where it can."""

    def no(reason: RejectionReason, explanation: str) -> Rejection:
        return Rejection(manifest.name, manifest.family, reason, f"{manifest.name} {explanation}")

    if wanted.task not in manifest.tasks:
        return no(RejectionReason.TASK, f"does not {wanted.task}; it can {', '.join(manifest.tasks)}")
    if wanted.encodes and TaskKind.ENCODE not in manifest.tasks:
        return no(RejectionReason.TASK, f"cannot encode what is given, which {wanted.task} needs")
    # A bare array may stand for what a model takes, a picture say: a model named outright sees for itself.
    is_for_the_model = wanted.input is Modality.TENSOR and wanted.model
    if wanted.input is not None and wanted.input not in manifest.inputs and not is_for_the_model:
        return no(RejectionReason.MODALITY, f"does not take {wanted.input}")
    # A manifest lists what all its tasks make together: latents come of encoding.
    is_code = wanted.output is Modality.LATENT and wanted.task is TaskKind.GENERATE
    if is_code or (wanted.output is not None and wanted.output not in manifest.outputs):
        return no(RejectionReason.MODALITY, f"does not make {wanted.output}")
    if wanted.exact_likelihood and manifest.score_estimator is not Estimator.EXACT:
        return no(RejectionReason.GUARANTEE, "gives no exact likelihood")
    if wanted.deterministic and not manifest.deterministic:
        return no(RejectionReason.GUARANTEE, "does not promise the same bytes for the same seed")
    if wanted.latent_space and wanted.latent_space not in {space.id for space in manifest.latent_spaces}:
        return no(RejectionReason.GUARANTEE, f"has no latent space {wanted.latent_space!r}")
    return None


def _unfit(manifest: Manifest, wanted: Wanted) -> Rejection | None:
    """Why the guide passes over a model that could do the task as such; a model named outright answers for itself."""

    def no(explanation: str) -> Rejection:
        return Rejection(manifest.name, manifest.family, RejectionReason.GUARANTEE, f"{manifest.name} {explanation}")

    # What it writes is of a kind of its own, phonemes for example, not an answer to whatever is asked.
    if manifest.architecture in _TRANSDUCERS:
        return no("writes one kind of text for another; name it to use it")
    # An operator's own family reads whichever parameters it likes.
    if wanted.family not in (None, manifest.family) and manifest.family in FAMILY_BY_NAME:
        return no(f"is a {manifest.family}; the parameters are for a {wanted.family}")
    if wanted.class_label:
        classes = [str(name) for name in manifest.network.get("classes", ())]
        if wanted.class_label.casefold() not in (name.casefold() for name in classes):
            return no(f"knows no class {quoted(wanted.class_label)!r}" if classes else "knows no classes")
    known = _attributes(manifest)
    unknown = [name for name in wanted.attributes if name not in known]
    if unknown and manifest.family != "hybrid":
        return no(f"knows no attribute {quoted(unknown[0])!r}")
    own = (manifest.network.get("height"), manifest.network.get("width"))
    if wanted.picture is not None and None not in own and wanted.picture != own:
        return no(f"takes pictures of {own[1]} x {own[0]}, not {wanted.picture[1]} x {wanted.picture[0]}")
    return None


def _attributes(manifest: Manifest) -> frozenset[str]:
    """The names that `conditions.attributes` may hold: what can be edited, and what some kinds of model are told."""
    directed = {"direction"} if manifest.network.get("directions") else set()
    voiced = {"voice"} if manifest.network.get("voices") else set()
    composed = {"keep", "keep_beats", "tempo_bpm"} if Modality.MUSIC in manifest.outputs else set()
    return frozenset(map(str, manifest.network.get("attributes", ()))) | directed | voiced | composed


def _candidate(manifest: Manifest) -> Candidate:
    measured = {m.name: m.value for m in manifest.measurements}
    return Candidate(
        manifest.name, manifest.family, manifest.version, measured.get("latency"), measured.get("quality", 0.0)
    )


def _merit(candidate: Candidate, wanted: Wanted) -> tuple[float, float]:
    """What ranks a candidate within its family, less being better."""
    latency_s = inf if candidate.latency_s is None else candidate.latency_s
    worse = -candidate.quality
    return (latency_s, worse) if wanted.priority is Priority.SPEED else (worse, latency_s)


def _explanation(row: Row | None, ranked: tuple[Candidate, ...], wanted: Wanted) -> str:
    if row is None:
        return f"No row of the guide fits: {wanted.task} of {wanted.output or wanted.input or 'anything'}."
    if not ranked:
        return f"Row {row.name!r} fits, but no served model can do it."
    return f"{ranked[0].model}, by row {row.name!r}: {row.reason}"


def _counterfactuals(
    guide: Guide, models: Mapping[str, ServedModel], wanted: Wanted, decision: Decision
) -> tuple[Counterfactual, ...]:
    """What dropping each requirement would change."""
    chosen = decision.choice.model if decision.choice else None
    drops: list[tuple[str, Wanted]] = []
    if wanted.exact_likelihood:
        drops.append(("without exact likelihood", replace(wanted, exact_likelihood=False)))
    if wanted.deterministic:
        drops.append(("without determinism", replace(wanted, deterministic=False)))
    if wanted.latent_space:
        drops.append((f"without latent space {wanted.latent_space}", replace(wanted, latent_space="")))
    if wanted.class_label:
        drops.append((f"without class {quoted(wanted.class_label)}", replace(wanted, class_label="")))
    if wanted.priority is not None:
        drops.append((f"without priority {wanted.priority}", replace(wanted, priority=None)))
    found = []
    for change, relaxed in drops:
        other = _guided(guide, models, relaxed).choice
        if other is not None and other.model != chosen:
            found.append(Counterfactual(change, other.model, other.family))
    return tuple(found)
