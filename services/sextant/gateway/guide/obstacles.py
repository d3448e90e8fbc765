"""What keeps a model from a request: the checks, with their reasons in words only where these are read."""

from dataclasses import dataclass

from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.contract.violations import quoted
from sextant.contract.wire_enums import FAMILY_BY_NAME
from sextant.gateway.guide.decision import RejectionReason, Wanted
from sextant.gateway.guide.facts import ModelFacts

_TRANSDUCERS = frozenset({"t5"})
# What is given to these must come with its class: others of their families encode and score without.
_TOLD_THE_CLASS = {"cvae": (TaskKind.ENCODE, TaskKind.SCORE, TaskKind.INTERPOLATE)}


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A reason, and a template of its words with what stands in it."""

    reason: RejectionReason
    template: str
    about: tuple[object, ...] = ()

    def told(self) -> str:
        """The reason in words; the model's name goes before."""
        return self.template.format(*(quoted(part) if type(part) is str else part for part in self.about))


def cannot(facts: ModelFacts, wanted: Wanted) -> Obstacle | None:
    """Why this model cannot do what is wanted; None where it can."""
    if wanted.task not in facts.tasks:
        doing = "does not {}; it can {}"
        return Obstacle(RejectionReason.TASK, doing, (wanted.task, ", ".join(facts.tasks)))
    if wanted.encodes and TaskKind.ENCODE not in facts.tasks:
        return Obstacle(RejectionReason.TASK, "cannot encode what is given, which {} needs", (wanted.task,))
    # A bare array may stand for what a model takes, a picture say: a model named outright sees for itself.
    is_for_the_model = wanted.input is Modality.TENSOR and wanted.model
    if wanted.input is not None and wanted.input not in facts.inputs and not is_for_the_model:
        return Obstacle(RejectionReason.MODALITY, "does not take {}", (wanted.input,))
    # A manifest lists what all its tasks make together: latents come of encoding.
    is_code = wanted.output is Modality.LATENT and wanted.task is TaskKind.GENERATE
    if is_code or (wanted.output is not None and wanted.output not in facts.outputs):
        return Obstacle(RejectionReason.MODALITY, "does not make {}", (wanted.output,))
    if wanted.exact_likelihood and not facts.exact:
        return Obstacle(RejectionReason.GUARANTEE, "gives no exact likelihood")
    if wanted.deterministic and not facts.deterministic:
        return Obstacle(RejectionReason.GUARANTEE, "does not promise the same bytes for the same seed")
    if wanted.latent_space and wanted.latent_space not in facts.spaces:
        return Obstacle(RejectionReason.GUARANTEE, "has no latent space {!r}", (wanted.latent_space,))
    return None


def unfit(facts: ModelFacts, wanted: Wanted) -> Obstacle | None:
    """Why the guide passes over a model that could do the task as such, whatever the request names.

    A model that is itself named answers for itself.
    """
    # What it writes is of a kind of its own, phonemes for example, not an answer to whatever is asked.
    if facts.architecture in _TRANSDUCERS:
        return _no("writes one kind of text for another; name it to use it")
    # An operator's own family reads whichever parameters it likes.
    if wanted.family not in (None, facts.family) and facts.family in FAMILY_BY_NAME:
        return _no("is a {}; the parameters are for a {}", facts.family, wanted.family)
    return None


def lacks(facts: ModelFacts, wanted: Wanted) -> Obstacle | None:
    """Why the guide passes over a model for what the request names or not: a class, an attribute, a space, a size."""
    is_given = wanted.task is not TaskKind.INTERPOLATE or wanted.encodes
    if not wanted.class_label and is_given and wanted.task in _TOLD_THE_CLASS.get(facts.architecture, ()):
        return _no("must be told the class of what is given")
    if wanted.latent_space and wanted.latent_space not in facts.spaces:
        return _no("has no latent space {!r}", wanted.latent_space)
    if wanted.class_label and wanted.class_label.casefold() not in facts.classes:
        return _no("knows no class {!r}", wanted.class_label) if facts.classes else _no("knows no classes")
    if wanted.attributes and facts.family != "hybrid":
        unknown = [name for name in wanted.attributes if name not in facts.attributes]
        if unknown:
            return _no("knows no attribute {!r}", unknown[0])
    own = facts.picture
    if own is not None:
        if wanted.picture is not None and wanted.picture != own:
            return _no("takes pictures of {} x {}, not {} x {}", own[1], own[0], wanted.picture[1], wanted.picture[0])
        if any(asked not in (0, made) for asked, made in zip(wanted.size, own, strict=True)):
            height, width = (asked or made for asked, made in zip(wanted.size, own, strict=True))
            return _no("makes pictures of {} x {}, not {} x {}", own[1], own[0], width, height)
    return None


def _no(template: str, *about: object) -> Obstacle:
    return Obstacle(RejectionReason.GUARANTEE, template, about)
