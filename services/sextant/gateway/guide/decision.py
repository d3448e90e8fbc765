"""What is wanted, and what the guide makes of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from sextant.contract.media import Modality
from sextant.contract.options import Priority
from sextant.contract.tasks import DiffusionSampler, TaskKind


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request asks for, as far as the choice of a model goes; None and "" are the caller's silence.

    `attributes` are the names of those asked for, `picture` the height and width of the one that is given, `size`
    those of what is to be made, 0 where not said; `family` is that of the parameters which the request carries,
    `sampler` and `steps` are among them; `encodes` says that the model must be able to encode as well, because the
    request brings data to a task that works on latents. `count` is the number of items. `lots` are two numbers in
    [0, 1) that decide whether a row's canary and shadow take part; without them neither does.
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
    size: tuple[int, int] = (0, 0)
    family: str | None = None
    sampler: DiffusionSampler | None = None
    steps: int | None = None
    encodes: bool = False
    count: int = 1
    deadline_s: float | None = None
    model: str = ""
    lots: tuple[float, float] | None = None


class RejectionReason(StrEnum):
    """Why a model cannot answer."""

    TASK = "task"
    MODALITY = "modality"
    GUARANTEE = "guarantee"
    DEADLINE = "deadline"
    UNAVAILABLE = "unavailable"
    GUIDE = "guide"


@dataclass(frozen=True, slots=True)
class Tier:
    """One way of running a model, with what was measured of it: quality from 0 to 1, seconds for one item alone.

    `name` is that of the measurements, as in "dpm-solver++2m/10", and "" for a model with a single way.
    """

    name: str = ""
    sampler: DiffusionSampler | None = None
    steps: int = 0
    quality: float = 0.0
    latency_s: float | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that could answer, in one of its tiers. `latency_s` is None and `quality` 0 where nothing was measured.

    `sets_way` says that sampler and steps of the tier are the guide's to set, being neither asked for nor usual.
    """

    model: str
    family: str
    version: str
    latency_s: float | None
    quality: float
    tier: Tier = Tier()
    sets_way: bool = False


@dataclass(frozen=True, slots=True)
class Rejection:
    """A model, or one tier of it, that cannot answer, and why."""

    model: str
    family: str
    reason: RejectionReason
    explanation: str
    tier: str = ""
    latency_s: float | None = None


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
    tier: str = ""
    latency_s: float | None = None
    quality: float = 0.0


@dataclass(frozen=True, slots=True)
class Reasons:
    """All that explains a choice but does not make it."""

    alternatives: tuple[Candidate, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    counterfactuals: tuple[Counterfactual, ...] = ()


@dataclass(frozen=True)
class Decision:
    """The choice (None where nothing fits) with its explanation, which is worked out when it is first read.

    `canary` says that the row's canary was chosen, `shadow` names the model that is to answer unheard ("" for none).
    """

    choice: Candidate | None
    rule: Fired | None
    explanation: str
    explain: Callable[[], Reasons] = field(default=Reasons, repr=False, compare=False)
    canary: bool = False
    shadow: str = ""

    @cached_property
    def _reasons(self) -> Reasons:
        return self.explain()

    @property
    def alternatives(self) -> tuple[Candidate, ...]:
        """The next best, best first."""
        return self._reasons.alternatives

    @property
    def rejections(self) -> tuple[Rejection, ...]:
        """What was left out, and why."""
        return self._reasons.rejections

    @property
    def counterfactuals(self) -> tuple[Counterfactual, ...]:
        """What would change the choice."""
        return self._reasons.counterfactuals
