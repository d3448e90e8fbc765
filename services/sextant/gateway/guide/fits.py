"""What fits a request whatever its time, kept for all that want the same; and which way is chosen of it, in time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from operator import itemgetter

from sextant.contract.options import Priority
from sextant.gateway.guide.decision import Candidate, Rejection, Wanted
from sextant.gateway.guide.facts import ModelFacts
from sextant.gateway.guide.live import Live
from sextant.gateway.guide.schema import Guide, Row
from sextant.gateway.guide.ways import (
    Foreseen,
    Timed,
    Way,
    as_asked,
    by_speed,
    candidate_of,
    compatible,
    foresee,
    grouped,
    is_tiered,
    tiers_of,
    timed,
)


@dataclass(frozen=True)
class Fit:
    """What is the same for all requests that want the same but for their time: the row, and the models that can.

    `wider` is the same without the words of the request, whose order is kept.
    """

    row: Row | None
    models: Mapping[str, ModelFacts]
    fitting: tuple[tuple[int, ModelFacts], ...]
    why_not: Callable[[ModelFacts], Rejection | None]
    wider: "Fit | None" = None

    @cached_property
    def rejections(self) -> tuple[Rejection, ...]:
        """Every model that cannot, in order of their names."""
        told = (self.why_not(facts) for facts in self.models.values())
        return tuple(rejection for rejection in told if rejection is not None)

    @cached_property
    def usual(self) -> tuple[tuple[Way, ...], ...]:
        """By family in the row's order, how each model runs where nothing is said."""
        if self.wider is not None:
            return tuple(map(self._kept, self.wider.usual))
        return grouped(Way(facts, facts.usual, facts.usual.steps, rank, False) for rank, facts in self.fitting)

    @cached_property
    def tiered(self) -> tuple[tuple[Way, ...], ...]:
        """By family in the row's order, every tier of each model."""
        if self.wider is not None:
            return tuple(map(self._kept, self.wider.tiered))
        return grouped(way for rank, facts in self.fitting for way in tiers_of(facts, rank))

    @cached_property
    def by_quality(self) -> tuple[Way, ...]:
        """Every tier of every model, the best measured quality first."""
        if self.wider is not None:
            return self._kept(self.wider.by_quality)
        ways = (way for family in self.tiered for way in family)
        return tuple(sorted(ways, key=lambda way: (-way.tier.quality, way.rank, *way.merit)))

    def _kept(self, ways: Sequence[Way]) -> tuple[Way, ...]:
        names = self._names
        return tuple(way for way in ways if way.facts.name in names)

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(facts.name for _, facts in self.fitting)


def choice_of(fit: Fit, wanted: Wanted, live: Live) -> Candidate | None:
    """The first of `ranked_of`, found without ranking the rest; where all are late, the one expected first."""
    deadline_s = inf if wanted.deadline_s is None else wanted.deadline_s
    late: list[tuple[float, Way, float | None]] = []
    for group in _groups(fit, wanted):
        foreseen: Iterable[Foreseen] = ((way, *foresee(way, wanted, live)) for way in group)
        for way, latency_s, allowed_s in sorted(foreseen, key=by_speed) if _hurries(wanted) else foreseen:
            if latency_s is None or allowed_s <= deadline_s:
                return candidate_of(way, latency_s)
            late.append((allowed_s, way, latency_s))
    if not late:
        return None
    _, way, latency_s = min(late, key=itemgetter(0))
    return candidate_of(way, latency_s)


def ranked_of(fit: Fit, wanted: Wanted, live: Live) -> list[Timed]:
    """Every way, in the order in which they are chosen if they are in time."""
    ranked: list[Timed] = []
    for group in _groups(fit, wanted):
        foreseen = [(way, *foresee(way, wanted, live)) for way in group]
        if _hurries(wanted):
            foreseen.sort(key=by_speed)
        ranked += [timed(found, wanted) for found in foreseen]
    return ranked


def _hurries(wanted: Wanted) -> bool:
    return wanted.priority is Priority.SPEED


def _groups(fit: Fit, wanted: Wanted) -> Sequence[Sequence[Way]]:
    """The ways that are open, group after group in order: families, or all in one where the best goes first."""
    if not is_tiered(wanted):
        if wanted.steps is None and wanted.sampler is None:
            return fit.usual
        return grouped(as_asked(way.facts, wanted, way.rank) for family in fit.usual for way in family)
    tiered = (fit.by_quality,) if wanted.priority in (None, Priority.QUALITY) else fit.tiered
    if wanted.steps is None and wanted.sampler is None:
        return tiered
    asked = {way.facts.name: as_asked(way.facts, wanted, way.rank) for family in fit.usual for way in family}
    groups = []
    for group in tiered:
        kept = compatible(group, wanted)
        missing = [way for name, way in asked.items() if any(other.facts.name == name for other in group)]
        groups.append([*kept, *(way for way in missing if all(other.facts is not way.facts for other in kept))])
    return groups


def row_for(guide: Guide, wanted: Wanted) -> Row | None:
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
