"""Ways to answer: a model in one of its tiers, and how long that would take."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, inf

from sextant.contract.tasks import TaskKind
from sextant.gateway.guide.decision import Candidate, Rejection, RejectionReason, Tier, Wanted
from sextant.gateway.guide.facts import ModelFacts, tier_as_asked
from sextant.gateway.guide.live import Live, predict

# Mean deviations that a prediction allows for, so that most are in time and few could have had better: `bench guide`.
ALLOWANCE = 0.5


@dataclass(frozen=True, slots=True)
class Way:
    """A model in one of its tiers; `steps` of each item, 0 where they are not counted; `rank` is its family's."""

    facts: ModelFacts
    tier: Tier
    steps: int
    rank: int
    sets: bool

    @property
    def merit(self) -> tuple[float, float, str]:
        """What ranks ways by what was measured of them, less being better."""
        latency_s = inf if self.tier.latency_s is None else self.tier.latency_s
        return (-self.tier.quality, latency_s, self.facts.name)


# A way with the seconds that are expected of it, None where nothing tells, and those to be allowed for.
Foreseen = tuple[Way, float | None, float]


@dataclass(frozen=True, slots=True)
class Timed:
    """A way as a candidate, with what must be allowed for it in seconds, and whether that is too long."""

    candidate: Candidate
    allowed_s: float
    is_late: bool

    def rejection(self, wanted: Wanted) -> Rejection:
        """Why it is passed over, being late."""
        candidate, latency_s = self.candidate, self.candidate.latency_s or 0.0
        told = (
            f"{candidate.model}{manner(candidate)} takes {milliseconds(latency_s)}, "
            f"{milliseconds(self.allowed_s)} to be sure of it; there are {milliseconds(wanted.deadline_s or 0.0)}"
        )
        tier = candidate.tier.name
        return Rejection(candidate.model, candidate.family, RejectionReason.DEADLINE, told, tier, latency_s)


def is_tiered(wanted: Wanted) -> bool:
    """Whether time decides how well it is made."""
    return wanted.deadline_s is not None and wanted.task is TaskKind.GENERATE


def tiers_of(facts: ModelFacts, rank: int) -> Iterator[Way]:
    """Every tier of a model, or its one way."""
    for tier in facts.tiers or (facts.usual,):
        yield Way(facts, tier, tier.steps, rank, tier is not facts.usual)


def as_asked(facts: ModelFacts, wanted: Wanted, rank: int = 0) -> Way:
    """As the request says, and as usual for what it does not say."""
    tier = tier_as_asked(facts, wanted.sampler, wanted.steps)
    return Way(facts, tier, tier.steps, rank, False)


def compatible(ways: Sequence[Way], wanted: Wanted) -> list[Way]:
    """The ways that do not override what the request says of sampler and steps."""
    return [
        way
        for way in ways
        if (wanted.steps is None or wanted.steps == way.steps)
        and (wanted.sampler is None or wanted.sampler == way.tier.sampler)
    ]


def grouped(ways: Iterator[Way]) -> tuple[tuple[Way, ...], ...]:
    """By family in order, each the best first by what was measured."""
    by_rank: dict[int, list[Way]] = {}
    for way in ways:
        by_rank.setdefault(way.rank, []).append(way)
    return tuple(tuple(sorted(by_rank[rank], key=lambda way: way.merit)) for rank in sorted(by_rank))


def foresee(way: Way, wanted: Wanted, live: Live) -> tuple[float | None, float]:
    """Seconds as expected, None where nothing tells, and as must be allowed for."""
    facts, task = way.facts, wanted.task
    told = predict(live, facts.name, task, way.tier, way.steps, wanted.count, task is facts.timed, ALLOWANCE)
    return told or (None, inf)


def candidate_of(way: Way, latency_s: float | None) -> Candidate:
    """A way as a candidate."""
    facts, tier = way.facts, way.tier
    return Candidate(facts.name, facts.family, facts.version, latency_s, tier.quality, tier, way.sets)


def timed(found: Foreseen, wanted: Wanted) -> Timed:
    """A way with its verdict."""
    way, latency_s, allowed_s = found
    late = wanted.deadline_s is not None and latency_s is not None and allowed_s > wanted.deadline_s
    return Timed(candidate_of(way, latency_s), allowed_s, late)


def by_speed(found: Foreseen) -> tuple[float, float, str]:
    """What ranks ways where speed matters, less being better."""
    way, latency_s, _ = found
    return (inf if latency_s is None else latency_s, -way.tier.quality, way.facts.name)


def manner(candidate: Candidate) -> str:
    """How it would run, in words."""
    return f" by {candidate.tier.name}" if candidate.tier.name else ""


def milliseconds(seconds: float) -> str:
    """In words."""
    return f"{1000 * seconds:.0f} ms" if seconds >= 0.01 else f"{1000 * seconds:.1f} ms"


def milliseconds_up(seconds: float) -> str:
    """Rounded up, so that it is enough."""
    return f"{ceil(1000 * seconds)} ms"
