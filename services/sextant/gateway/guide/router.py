"""The router: a pure function from the guide, what is served, what is wanted and how fast it all is, to a decision.

Models that cannot do it are rejected, each with its reason. The most specific row of the guide that fits says which
families to try, in order; within a family the better measured quality goes first, then the shorter expected latency,
then the name. Where speed is what matters, latency goes before quality. What was not measured goes last. So of two
unmeasured language models the first by name answers a plain prompt.

With a deadline, what is expected to be late is rejected too, tier by tier. Where something is made and quality is
what matters, or nothing is said to matter, the best measured quality that is in time then goes first, whatever its
family. Where nothing is in time the one that is expected first is tried. Where the same bytes are promised every time,
neither time nor load has a say.

A choice takes microseconds among hundreds of models (`bench guide`): what depends on the models and on what is wanted
alone is worked out once and kept, and the explanation only when it is read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from sextant.contract.errors import ModelNotFound
from sextant.contract.violations import quoted
from sextant.gateway.guide.decision import (
    Candidate,
    Counterfactual,
    Decision,
    Fired,
    Reasons,
    Rejection,
    RejectionReason,
    Wanted,
)
from sextant.gateway.guide.facts import ModelFacts, facts_of
from sextant.gateway.guide.fits import Fit, choice_of, ranked_of, row_for
from sextant.gateway.guide.live import Live
from sextant.gateway.guide.obstacles import Obstacle, cannot, lacks, unfit
from sextant.gateway.guide.reasons import counterfactual, explanation_of, more_time
from sextant.gateway.guide.schema import Guide
from sextant.gateway.guide.ways import Timed, as_asked, compatible, foresee, is_tiered, manner, tiers_of, timed
from sextant.replicas.served import ServedModel

_NOTHING_SEEN = Live()
_MOST_FITS = 512
_LONGEST_KEPT = 256  # characters of a request's own words in the key of what is kept
_NO_WORDS = ("", (), "", None, (0, 0))


def decide(guide: Guide, models: Mapping[str, ServedModel], wanted: Wanted, live: Live = _NOTHING_SEEN) -> Decision:
    """The decision for `wanted` among `models`. Raises `ModelNotFound` where a model is named that is not served."""
    return Router(guide, models).decide(wanted, live)


class Router:
    """The router for one guide and one set of models; its answers depend on its inputs alone."""

    def __init__(self, guide: Guide, models: Mapping[str, ServedModel]) -> None:
        self._guide, self._served = guide, models
        self._models = {name: facts_of(models[name].manifest) for name in sorted(models)}
        self._plain: dict[tuple[object, ...], tuple[Fit, Fit]] = {}
        self._worded: dict[tuple[object, ...], Fit] = {}

    def is_for(self, guide: Guide, models: Mapping[str, ServedModel]) -> bool:
        """Whether this is the router for these."""
        return guide is self._guide and models == self._served

    def decide(self, wanted: Wanted, live: Live = _NOTHING_SEEN) -> Decision:
        """The decision for `wanted`. Raises `ModelNotFound` where a model is named that is not served."""
        if wanted.deterministic:
            # The same bytes every time are of the same model in the same tier: neither time nor load has a say.
            wanted, live = replace(wanted, deadline_s=None), _NOTHING_SEEN
        if wanted.model:
            return self._named(wanted, live)
        fit = self._fit(wanted)
        choice = choice_of(fit, wanted, live)
        canary = _canary(fit, self._models, wanted, live)
        shadow = _shadow(fit, self._models, wanted)
        return Decision(
            choice=canary or choice,
            rule=None if fit.row is None else Fired(fit.row.name, fit.row.line, fit.row.reason),
            explanation=explanation_of(fit.row, canary or choice, wanted, canary is not None),
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
        ways = _ways_of(facts, wanted, live)
        in_time = [found for found in ways if not found.is_late]
        chosen = in_time[0] if in_time else min(ways, key=lambda found: found.allowed_s)
        late = tuple(found.rejection(wanted) for found in ways if found.is_late and found is not chosen)
        explanation = f"{wanted.model} was named outright{manner(chosen.candidate)}."
        return Decision(chosen.candidate, None, explanation, lambda: Reasons(rejections=late))

    def _fit(self, wanted: Wanted) -> Fit:
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

    def _work_out(self, wanted: Wanted, wider: Fit | None) -> Fit:
        row = row_for(self._guide, wanted) if wider is None else wider.row
        ranks = {} if row is None else {family: rank for rank, family in enumerate(row.families)}
        if wider is None:
            ranked = ((ranks[facts.family], facts) for facts in self._models.values() if facts.family in ranks)
            fitting = tuple(
                (rank, facts)
                for rank, facts in ranked
                if cannot(facts, wanted) is None and unfit(facts, wanted) is None
            )
        else:
            label = wanted.class_label.casefold()
            knowing = (
                (rank, facts)
                for rank, facts in wider.fitting
                if not label or label in facts.classes or facts.family == "hybrid"
            )
            fitting = tuple((rank, facts) for rank, facts in knowing if lacks(facts, wanted) is None)

        def why_not(facts: ModelFacts) -> Rejection | None:
            obstacle = cannot(facts, wanted) or unfit(facts, wanted) or lacks(facts, wanted)
            if obstacle is None and facts.family in ranks:
                return None
            listed = f"row {row.name!r} lists {', '.join(row.families)}" if row else "no row of the guide fits"
            plain = Rejection(facts.name, facts.family, RejectionReason.GUIDE, f"{listed}, not {facts.family}")
            return plain if obstacle is None else _rejection(facts, obstacle)

        return Fit(row, self._models, fitting, why_not, wider)

    def _reasons(self, fit: Fit, choice: Candidate | None, wanted: Wanted, live: Live) -> Reasons:
        ranked = ranked_of(fit, wanted, live)
        chosen = None if choice is None else (choice.model, choice.tier)
        others = [found for found in ranked if (found.candidate.model, found.candidate.tier) != chosen]
        return Reasons(
            alternatives=tuple(found.candidate for found in others if not found.is_late),
            rejections=(*fit.rejections, *(found.rejection(wanted) for found in others if found.is_late)),
            counterfactuals=(*more_time(ranked, choice, wanted), *self._less_asked(choice, wanted, live)),
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
            other = choice_of(self._fit(relaxed), relaxed, live)
            if other is not None and (choice is None or other.model != choice.model):
                yield counterfactual(change, other)


def _canary(fit: Fit, models: Mapping[str, ModelFacts], wanted: Wanted, live: Live) -> Candidate | None:
    """The row's canary, where the lot falls on it and it can do this in time."""
    trial = None if fit.row is None else fit.row.canary
    if trial is None or wanted.lots is None or wanted.lots[0] >= trial.share:
        return None
    facts = models.get(trial.model)
    if facts is None or not _can(facts, wanted):
        return None
    return next((found.candidate for found in _ways_of(facts, wanted, live) if not found.is_late), None)


def _shadow(fit: Fit, models: Mapping[str, ModelFacts], wanted: Wanted) -> str:
    """The row's shadow, where the lot falls on it and it can do this."""
    trial = None if fit.row is None else fit.row.shadow
    if trial is None or wanted.lots is None or wanted.lots[1] >= trial.share:
        return ""
    facts = models.get(trial.model)
    return trial.model if facts is not None and _can(facts, wanted) else ""


def _ways_of(facts: ModelFacts, wanted: Wanted, live: Live) -> list[Timed]:
    """How one model could do it, the best way first."""
    ways = sorted(tiers_of(facts, 0), key=lambda way: way.merit) if is_tiered(wanted) else [as_asked(facts, wanted)]
    kept = compatible(ways, wanted) or [as_asked(facts, wanted)]
    return [timed((way, *foresee(way, wanted, live)), wanted) for way in kept]


def _can(facts: ModelFacts, wanted: Wanted) -> bool:
    return all(check(facts, wanted) is None for check in (cannot, unfit, lacks))


def _rejection(facts: ModelFacts, obstacle: Obstacle) -> Rejection:
    return Rejection(facts.name, facts.family, obstacle.reason, f"{facts.name} {obstacle.told()}")
