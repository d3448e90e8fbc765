"""The router: a pure function from the guide, what is served, what is wanted and how fast it all is, to a decision.

Models that cannot do it are rejected, each with its reason. The most specific row of the guide that fits says which
families to try, in order; within a family the better measured quality goes first, then the shorter expected latency,
then the name. Where speed is what matters, latency goes before quality. What was not measured goes last. So of two
unmeasured language models the first by name answers a plain prompt.

With a deadline, what is expected to be late is rejected too, tier by tier. Where something is made and quality is
what matters, or nothing is said to matter, the best measured quality that is in time then goes first, whatever its
family. Where nothing is in time the one that is expected first is tried.

A choice takes microseconds among hundreds of models (`bench guide`): what depends on the models and on what is wanted
alone is worked out once and kept, and the explanation only when it is read.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, inf
from operator import itemgetter

from sextant.contract.errors import ModelNotFound
from sextant.contract.options import Priority
from sextant.contract.tasks import TaskKind
from sextant.contract.violations import quoted
from sextant.gateway.guide.decision import (
    Candidate,
    Counterfactual,
    Decision,
    Fired,
    Reasons,
    Rejection,
    RejectionReason,
    Tier,
    Wanted,
)
from sextant.gateway.guide.facts import ModelFacts, facts_of, tier_as_asked
from sextant.gateway.guide.live import Live, predict
from sextant.gateway.guide.obstacles import Obstacle, cannot, lacks, unfit
from sextant.gateway.guide.schema import Guide, Row
from sextant.replicas.served import ServedModel

# Mean deviations that a prediction allows for, so that most are in time and few could have had better: `bench guide`.
ALLOWANCE = 0.5

_NOTHING_SEEN = Live()
_MOST_FITS = 512
_LONGEST_KEPT = 256  # characters of a request's own words in the key of what is kept
_NO_WORDS = ("", (), "", None, (0, 0))
_MOST_TIMES = 3  # counterfactuals of more time


def decide(guide: Guide, models: Mapping[str, ServedModel], wanted: Wanted, live: Live = _NOTHING_SEEN) -> Decision:
    """The decision for `wanted` among `models`. Raises `ModelNotFound` where a model is named that is not served."""
    return Router(guide, models).decide(wanted, live)


@dataclass(frozen=True, slots=True)
class _Way:
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
_Foreseen = tuple[_Way, float | None, float]


@dataclass(frozen=True)
class _Fit:
    """What is the same for all requests that want the same but for their time: the row, and the models that can.

    `wider` is the same without the words of the request, whose order is kept.
    """

    row: Row | None
    models: Mapping[str, ModelFacts]
    fitting: tuple[tuple[int, ModelFacts], ...]
    why_not: Callable[[ModelFacts], Rejection | None]
    wider: "_Fit | None" = None

    @cached_property
    def rejections(self) -> tuple[Rejection, ...]:
        """Every model that cannot, in order of their names."""
        told = (self.why_not(facts) for facts in self.models.values())
        return tuple(rejection for rejection in told if rejection is not None)

    @cached_property
    def usual(self) -> tuple[tuple[_Way, ...], ...]:
        """By family in the row's order, how each model runs where nothing is said."""
        if self.wider is not None:
            return tuple(map(self._kept, self.wider.usual))
        return _grouped(_Way(facts, facts.usual, facts.usual.steps, rank, False) for rank, facts in self.fitting)

    @cached_property
    def tiered(self) -> tuple[tuple[_Way, ...], ...]:
        """By family in the row's order, every tier of each model."""
        if self.wider is not None:
            return tuple(map(self._kept, self.wider.tiered))
        return _grouped(way for rank, facts in self.fitting for way in _tiers(facts, rank))

    @cached_property
    def by_quality(self) -> tuple[_Way, ...]:
        """Every tier of every model, the best measured quality first."""
        if self.wider is not None:
            return self._kept(self.wider.by_quality)
        ways = (way for family in self.tiered for way in family)
        return tuple(sorted(ways, key=lambda way: (-way.tier.quality, way.rank, *way.merit)))

    def _kept(self, ways: Sequence[_Way]) -> tuple[_Way, ...]:
        names = self._names
        return tuple(way for way in ways if way.facts.name in names)

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(facts.name for _, facts in self.fitting)


class Router:
    """The router for one guide and one set of models; its answers depend on its inputs alone."""

    def __init__(self, guide: Guide, models: Mapping[str, ServedModel]) -> None:
        self._guide, self._served = guide, models
        self._models = {name: facts_of(models[name].manifest) for name in sorted(models)}
        self._plain: dict[tuple[object, ...], tuple[_Fit, _Fit]] = {}
        self._worded: dict[tuple[object, ...], _Fit] = {}

    def is_for(self, guide: Guide, models: Mapping[str, ServedModel]) -> bool:
        """Whether this is the router for these."""
        return guide is self._guide and models == self._served

    def decide(self, wanted: Wanted, live: Live = _NOTHING_SEEN) -> Decision:
        """The decision for `wanted`. Raises `ModelNotFound` where a model is named that is not served."""
        if wanted.model:
            return self._named(wanted, live)
        fit = self._fit(wanted)
        choice = _choice(fit, wanted, live)
        canary = _canary(fit, self._models, wanted, live)
        shadow = _shadow(fit, self._models, wanted)
        return Decision(
            choice=canary or choice,
            rule=None if fit.row is None else Fired(fit.row.name, fit.row.line, fit.row.reason),
            explanation=_explanation(fit.row, canary or choice, wanted, live, canary is not None),
            explain=lambda: self._reasons(fit, canary or choice, wanted, live),
            canary=canary is not None,
            shadow=shadow if canary is None else "",
        )

    def _named(self, wanted: Wanted, live: Live) -> Decision:
        facts = self._models.get(wanted.model)
        if facts is None:
            raise ModelNotFound(wanted.model, tuple(self._models))
        obstacle = cannot(facts, wanted)
        if obstacle is not None:
            rejection = _rejection(facts, obstacle)
            return Decision(None, None, rejection.explanation, lambda: Reasons(rejections=(rejection,)))
        ways = sorted(_tiers(facts, 0), key=lambda way: way.merit) if _is_tiered(wanted) else [_as_asked(facts, wanted)]
        kept = _compatible(ways, wanted) or [_as_asked(facts, wanted)]
        timed = [_timed((way, *_foresee(way, wanted, live)), wanted) for way in kept]
        in_time = [found for found in timed if not found.is_late]
        chosen = in_time[0] if in_time else min(timed, key=lambda found: found.allowed_s)
        late = tuple(found.rejection(wanted) for found in timed if found.is_late and found is not chosen)
        explanation = f"{wanted.model} was named outright{_manner(chosen.candidate)}."
        return Decision(chosen.candidate, None, explanation, lambda: Reasons(rejections=late))

    def _fit(self, wanted: Wanted) -> _Fit:
        """What the models can do of it: kept, as most requests want what others wanted before."""
        plain = (
            wanted.task,
            wanted.input,
            wanted.output,
            wanted.priority,
            wanted.exact_likelihood,
            wanted.deterministic,
            wanted.family,
            wanted.encodes,
        )
        words = (wanted.class_label, wanted.attributes, wanted.latent_space, wanted.picture, wanted.size)
        known = self._plain.get(plain)
        if known is None:
            nothing = replace(wanted, class_label="", attributes=(), latent_space="", picture=None, size=(0, 0))
            wider = self._work_out(nothing, None)
            known = self._plain[plain] = wider, self._work_out(nothing, wider)
        wider, wordless = known
        if words == _NO_WORDS:
            return wordless
        fit = self._worded.get((plain, words))
        if fit is None:
            fit = self._work_out(wanted, wider)
            if len(wanted.class_label) + len(wanted.latent_space) + sum(map(len, wanted.attributes)) <= _LONGEST_KEPT:
                if len(self._worded) >= _MOST_FITS:
                    self._worded.clear()
                self._worded[plain, words] = fit
        return fit

    def _work_out(self, wanted: Wanted, wider: _Fit | None) -> _Fit:
        row = _row(self._guide, wanted) if wider is None else wider.row
        ranks = {} if row is None else {family: rank for rank, family in enumerate(row.families)}
        if wider is None:
            ranked = ((ranks[facts.family], facts) for facts in self._models.values() if facts.family in ranks)
            fitting = tuple(
                (rank, facts)
                for rank, facts in ranked
                if cannot(facts, wanted) is None and unfit(facts, wanted) is None
            )
        else:
            fitting = tuple((rank, facts) for rank, facts in wider.fitting if lacks(facts, wanted) is None)

        def why_not(facts: ModelFacts) -> Rejection | None:
            obstacle = cannot(facts, wanted) or unfit(facts, wanted) or lacks(facts, wanted)
            if obstacle is None and facts.family in ranks:
                return None
            listed = f"row {row.name!r} lists {', '.join(row.families)}" if row else "no row of the guide fits"
            plain = Rejection(facts.name, facts.family, RejectionReason.GUIDE, f"{listed}, not {facts.family}")
            return plain if obstacle is None else _rejection(facts, obstacle)

        return _Fit(row, self._models, fitting, why_not, wider)

    def _reasons(self, fit: _Fit, choice: Candidate | None, wanted: Wanted, live: Live) -> Reasons:
        ranked = _ranked(fit, wanted, live)
        chosen = None if choice is None else (choice.model, choice.tier)
        others = [found for found in ranked if (found.candidate.model, found.candidate.tier) != chosen]
        return Reasons(
            alternatives=tuple(found.candidate for found in others if not found.is_late),
            rejections=(*fit.rejections, *(found.rejection(wanted) for found in others if found.is_late)),
            counterfactuals=(*_more_time(ranked, choice, wanted), *self._less_asked(choice, wanted, live)),
        )

    def _less_asked(self, choice: Candidate | None, wanted: Wanted, live: Live) -> Iterator[Counterfactual]:
        """What dropping each requirement would change."""
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
        for change, relaxed in drops:
            other = _choice(self._fit(relaxed), relaxed, live)
            if other is not None and (choice is None or other.model != choice.model):
                yield _counterfactual(change, other)


@dataclass(frozen=True, slots=True)
class _Timed:
    """A way as a candidate, with what must be allowed for it in seconds, and whether that is too long."""

    candidate: Candidate
    allowed_s: float
    is_late: bool

    def rejection(self, wanted: Wanted) -> Rejection:
        """Why it is passed over, being late."""
        candidate, latency_s = self.candidate, self.candidate.latency_s or 0.0
        told = (
            f"{candidate.model}{_manner(candidate)} takes {_ms(latency_s)}, {_ms(self.allowed_s)} to be sure of it; "
            f"there are {_ms(wanted.deadline_s or 0.0)}"
        )
        tier = candidate.tier.name
        return Rejection(candidate.model, candidate.family, RejectionReason.DEADLINE, told, tier, latency_s)


def _choice(fit: _Fit, wanted: Wanted, live: Live) -> Candidate | None:
    """The first of `_ranked`, found without ranking the rest; where all are late, the one expected first."""
    deadline_s = inf if wanted.deadline_s is None else wanted.deadline_s
    late: list[tuple[float, _Way, float | None]] = []
    for group in _groups(fit, wanted):
        foreseen: Iterable[_Foreseen] = ((way, *_foresee(way, wanted, live)) for way in group)
        for way, latency_s, allowed_s in sorted(foreseen, key=_by_speed) if _hurries(wanted) else foreseen:
            if latency_s is None or allowed_s <= deadline_s:
                return _candidate(way, latency_s)
            late.append((allowed_s, way, latency_s))
    if not late:
        return None
    _, way, latency_s = min(late, key=itemgetter(0))
    return _candidate(way, latency_s)


def _ranked(fit: _Fit, wanted: Wanted, live: Live) -> list[_Timed]:
    """Every way, in the order in which they are chosen if they are in time."""
    ranked: list[_Timed] = []
    for group in _groups(fit, wanted):
        foreseen = [(way, *_foresee(way, wanted, live)) for way in group]
        if _hurries(wanted):
            foreseen.sort(key=_by_speed)
        ranked += [_timed(found, wanted) for found in foreseen]
    return ranked


def _hurries(wanted: Wanted) -> bool:
    return wanted.priority is Priority.SPEED


def _groups(fit: _Fit, wanted: Wanted) -> Sequence[Sequence[_Way]]:
    """The ways that are open, group after group in order: families, or all in one where the best goes first."""
    if not _is_tiered(wanted):
        if wanted.steps is None and wanted.sampler is None:
            return fit.usual
        return _grouped(_as_asked(way.facts, wanted, way.rank) for family in fit.usual for way in family)
    tiered = (fit.by_quality,) if wanted.priority in (None, Priority.QUALITY) else fit.tiered
    if wanted.steps is None and wanted.sampler is None:
        return tiered
    asked = {way.facts.name: _as_asked(way.facts, wanted, way.rank) for family in fit.usual for way in family}
    groups = []
    for group in tiered:
        kept = _compatible(group, wanted)
        missing = [way for name, way in asked.items() if any(other.facts.name == name for other in group)]
        groups.append([*kept, *(way for way in missing if all(other.facts is not way.facts for other in kept))])
    return groups


def _is_tiered(wanted: Wanted) -> bool:
    """Whether time decides how well it is made. Where the same bytes are promised, only the request decides."""
    return wanted.deadline_s is not None and wanted.task is TaskKind.GENERATE and not wanted.deterministic


def _tiers(facts: ModelFacts, rank: int) -> Iterator[_Way]:
    for tier in facts.tiers or (facts.usual,):
        yield _Way(facts, tier, tier.steps, rank, tier is not facts.usual)


def _as_asked(facts: ModelFacts, wanted: Wanted, rank: int = 0) -> _Way:
    tier = tier_as_asked(facts, wanted.sampler, wanted.steps)
    return _Way(facts, tier, tier.steps, rank, False)


def _compatible(ways: Sequence[_Way], wanted: Wanted) -> list[_Way]:
    """The ways that do not override what the request says of sampler and steps."""
    return [
        way
        for way in ways
        if (wanted.steps is None or wanted.steps == way.steps)
        and (wanted.sampler is None or wanted.sampler == way.tier.sampler)
    ]


def _grouped(ways: Iterator[_Way]) -> tuple[tuple[_Way, ...], ...]:
    """By family in order, each the best first by what was measured."""
    by_rank: dict[int, list[_Way]] = {}
    for way in ways:
        by_rank.setdefault(way.rank, []).append(way)
    return tuple(tuple(sorted(by_rank[rank], key=lambda way: way.merit)) for rank in sorted(by_rank))


def _foresee(way: _Way, wanted: Wanted, live: Live) -> tuple[float | None, float]:
    """Seconds as expected, None where nothing tells, and as must be allowed for."""
    facts, task = way.facts, wanted.task
    told = predict(live, facts.name, task, way.tier, way.steps, wanted.count, task is facts.timed, ALLOWANCE)
    return told or (None, inf)


def _candidate(way: _Way, latency_s: float | None) -> Candidate:
    facts, tier = way.facts, way.tier
    return Candidate(facts.name, facts.family, facts.version, latency_s, tier.quality, tier, way.sets)


def _timed(found: _Foreseen, wanted: Wanted) -> _Timed:
    way, latency_s, allowed_s = found
    late = wanted.deadline_s is not None and latency_s is not None and allowed_s > wanted.deadline_s
    return _Timed(_candidate(way, latency_s), allowed_s, late)


def _by_speed(found: _Foreseen) -> tuple[float, float, str]:
    way, latency_s, _ = found
    return (inf if latency_s is None else latency_s, -way.tier.quality, way.facts.name)


def _canary(fit: _Fit, models: Mapping[str, ModelFacts], wanted: Wanted, live: Live) -> Candidate | None:
    """The row's canary, where the lot falls on it and it can do this in time."""
    trial = None if fit.row is None else fit.row.canary
    if trial is None or wanted.lots is None or wanted.lots[0] >= trial.share:
        return None
    facts = models.get(trial.model)
    if facts is None or not _can(facts, wanted):
        return None
    ways = sorted(_tiers(facts, 0), key=lambda way: way.merit) if _is_tiered(wanted) else [_as_asked(facts, wanted)]
    kept = _compatible(ways, wanted) or [_as_asked(facts, wanted)]
    timed = (_timed((way, *_foresee(way, wanted, live)), wanted) for way in kept)
    return next((found.candidate for found in timed if not found.is_late), None)


def _shadow(fit: _Fit, models: Mapping[str, ModelFacts], wanted: Wanted) -> str:
    """The row's shadow, where the lot falls on it and it can do this."""
    trial = None if fit.row is None else fit.row.shadow
    if trial is None or wanted.lots is None or wanted.lots[1] >= trial.share:
        return ""
    facts = models.get(trial.model)
    return trial.model if facts is not None and _can(facts, wanted) else ""


def _can(facts: ModelFacts, wanted: Wanted) -> bool:
    return all(check(facts, wanted) is None for check in (cannot, unfit, lacks))


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


def _rejection(facts: ModelFacts, obstacle: Obstacle) -> Rejection:
    return Rejection(facts.name, facts.family, obstacle.reason, f"{facts.name} {obstacle.told()}")


def _explanation(row: Row | None, choice: Candidate | None, wanted: Wanted, live: Live, canary: bool) -> str:
    if row is None:
        return f"No row of the guide fits: {wanted.task} of {wanted.output or wanted.input or 'anything'}."
    if choice is None:
        return f"Row {row.name!r} fits, but no served model can do it."
    by = f"{choice.model}{_manner(choice)}, by row {row.name!r}"
    if canary:
        return f"{by}, as its canary: {row.reason}"
    if wanted.deadline_s is not None and choice.latency_s is not None and choice.latency_s > wanted.deadline_s:
        return f"{by}: nothing is expected within {_ms(wanted.deadline_s)}, and this is the first to be done."
    return f"{by}: {row.reason}"


def _more_time(ranked: Sequence[_Timed], choice: Candidate | None, wanted: Wanted) -> Iterator[Counterfactual]:
    """What would be chosen with more time: of what goes before the choice but is late, each better than the last."""
    if choice is None or wanted.deadline_s is None:
        return
    chosen = (choice.model, choice.tier)
    before = []
    for found in ranked:
        if (found.candidate.model, found.candidate.tier) == chosen:
            break
        before.append(found)
    # From the best down: one that is no sooner than a better one is never chosen.
    wins, best = [], inf
    for found in before:
        if found.is_late and found.allowed_s < best:
            wins.append(found)
            best = found.allowed_s
    for found in wins[: -_MOST_TIMES - 1 : -1]:
        yield _counterfactual(f"with {_ms_more(found.allowed_s - wanted.deadline_s)} more", found.candidate)


def _counterfactual(change: str, other: Candidate) -> Counterfactual:
    return Counterfactual(change, other.model, other.family, other.tier.name, other.latency_s, other.quality)


def _manner(candidate: Candidate) -> str:
    return f" by {candidate.tier.name}" if candidate.tier.name else ""


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds >= 0.01 else f"{1000 * seconds:.1f} ms"


def _ms_more(seconds: float) -> str:
    """Rounded up, so that it is enough."""
    return f"{ceil(1000 * seconds)} ms"
