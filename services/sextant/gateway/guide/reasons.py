"""A decision in words: why it was made, and what more time would buy."""

from collections.abc import Iterator, Sequence
from math import inf

from sextant.gateway.guide.decision import Candidate, Counterfactual, Wanted
from sextant.gateway.guide.schema import Row
from sextant.gateway.guide.ways import Timed, manner, milliseconds, milliseconds_up

_MOST_TIMES = 3  # counterfactuals of more time


def explanation_of(row: Row | None, choice: Candidate | None, wanted: Wanted, canary: bool) -> str:
    """The choice in one sentence for people."""
    if row is None:
        return f"No row of the guide fits: {wanted.task} of {wanted.output or wanted.input or 'anything'}."
    if choice is None:
        return f"Row {row.name!r} fits, but no served model can do it."
    by = f"{choice.model}{manner(choice)}, by row {row.name!r}"
    if canary:
        return f"{by}, as its canary: {row.reason}"
    if wanted.deadline_s is not None and choice.latency_s is not None and choice.latency_s > wanted.deadline_s:
        return f"{by}: nothing is expected within {milliseconds(wanted.deadline_s)}, and this is the first to be done."
    return f"{by}: {row.reason}"


def more_time(ranked: Sequence[Timed], choice: Candidate | None, wanted: Wanted) -> Iterator[Counterfactual]:
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
        yield counterfactual(f"with {milliseconds_up(found.allowed_s - wanted.deadline_s)} more", found.candidate)


def counterfactual(change: str, other: Candidate) -> Counterfactual:
    """What a change would buy, where it would bring this candidate."""
    return Counterfactual(change, other.model, other.family, other.tier.name, other.latency_s, other.quality)
