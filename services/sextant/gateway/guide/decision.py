"""What is wanted, and what the guide makes of it."""

from dataclasses import dataclass
from enum import StrEnum

from sextant.contract.media import Modality
from sextant.contract.options import Priority
from sextant.contract.tasks import TaskKind


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request asks for, as far as the choice of a model goes; None and "" are the caller's silence.

    `attributes` are the names of those asked for, `picture` the height and width of the one that is given;
    `family` is that of the parameters which the request carries; `encodes` says that the model must be able to
    encode as well, because the request brings data to a task that works on latents.
    """

    task: TaskKind
    input: Modality | None = None
    output: Modality | None = None
    priority: Priority | None = None
    exact_likelihood: bool = False
    deterministic: bool = False
    latent_space: str = ""
    class_label: str = ""
    attributes: tuple[str, ...] = ()
    picture: tuple[int, int] | None = None
    family: str | None = None
    encodes: bool = False
    deadline_s: float | None = None
    model: str = ""


class RejectionReason(StrEnum):
    """Why a model cannot answer."""

    TASK = "task"
    MODALITY = "modality"
    GUARANTEE = "guarantee"
    DEADLINE = "deadline"
    UNAVAILABLE = "unavailable"
    GUIDE = "guide"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that could answer. `latency_s` is None and `quality` 0 where nothing was measured."""

    model: str
    family: str
    version: str
    latency_s: float | None
    quality: float


@dataclass(frozen=True, slots=True)
class Rejection:
    """A model that cannot answer, and why."""

    model: str
    family: str
    reason: RejectionReason
    explanation: str


@dataclass(frozen=True, slots=True)
class Fired:
    """The row of the guide that decided."""

    name: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """What a change of the request would buy."""

    change: str
    model: str
    family: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The choice (None where nothing fits) with its explanation."""

    choice: Candidate | None
    alternatives: tuple[Candidate, ...]
    rejections: tuple[Rejection, ...]
    rule: Fired | None
    counterfactuals: tuple[Counterfactual, ...]
    explanation: str
