"""How fast this deployment really is, learnt from every request that it finishes: pure state, pure updates.

A request's time is split in two. What it takes to be taken in, which no model has a part in, is the *overhead*. The
rest is told in seconds for a unit of work, an item or a step of one, and averaged with exponential weights for each
model, kind of task, size and load: `Cell`s. Sizes and loads are classes by powers of two. A cell also has the mean
deviation from its average, as TCP has of round trips (Jacobson 1988), since what is to be in time must allow for it.

What was seen is forgotten: a cell counts half as much each `HALF_LIFE_S`, in favour of what the manifest tells times
the model's *pace*, the ratio of its times to that over all sizes, which is forgotten ten times more slowly. So a model
that was slow while something else took the processor is tried again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sextant.contract.tasks import TaskKind
from sextant.gateway.guide.decision import Tier

HALF_LIFE_S = 60.0
_PACE_HALF_LIFE_S = 600.0
_WEIGHT = 0.2  # of a new observation in a cell
_PACE_WEIGHT = 0.05
_UNSEEN_DEVIATION = 0.25  # of the mean, where nothing was seen yet
_FAR_OUT = 5.0  # mean deviations
_MOST_CELLS = 4096

# Model, task, sampler, and the classes of count and steps.
Place = tuple[str, TaskKind, str, int, int]


@dataclass(frozen=True, slots=True)
class Cell:
    """An average with its mean deviation, as of `seen_s` on the monotonic clock; `count` is what went into it."""

    mean: float
    deviation: float
    seen_s: float
    count: int = 1


@dataclass(frozen=True, slots=True)
class Observation:
    """A finished request: `taken_in_s` until it was taken in, None if it never was, `service_s` from there to its end.

    `others` is how many items of the same model were under way beside its own.
    """

    model: str
    task: TaskKind
    tier: Tier
    steps: int
    count: int
    others: int
    taken_in_s: float | None
    service_s: float
    timed: bool


@dataclass(frozen=True, slots=True)
class Live:
    """All that was learnt, and the load right now: items under way by model. Never changed in place."""

    cells: Mapping[Place, Mapping[int, Cell]] = field(default_factory=dict)
    paces: Mapping[str, Cell] = field(default_factory=dict)
    overhead: Cell | None = None
    in_flight: Mapping[str, int] = field(default_factory=dict)
    now_s: float = 0.0


# Seconds to the whole result as expected, and as must be allowed for so that it is hardly ever late.
Prediction = tuple[float, float]


def observed(live: Live, seen: Observation, now_s: float) -> Live:
    """What is known after one more request."""
    units = seen.count * max(1, seen.steps)
    unit_s = seen.service_s / units
    place = _place(seen.model, seen.task, seen.tier, seen.count, seen.steps)
    cells = dict(live.cells)
    by_load = dict(cells.get(place, {}))
    load = seen.others.bit_length()
    by_load[load] = _blended(by_load.get(load), unit_s, _WEIGHT, now_s)
    cells.pop(place, None)  # the latest goes last
    cells[place] = by_load
    if len(cells) > _MOST_CELLS:
        del cells[next(iter(cells))]
    paces = live.paces
    told_s = _told_unit_s(seen.tier, seen.steps) if seen.timed else None
    if told_s and not seen.others:
        paces = {**paces, seen.model: _blended(paces.get(seen.model), unit_s / told_s, _PACE_WEIGHT, now_s)}
    overhead = live.overhead
    if seen.taken_in_s is not None:
        overhead = _blended(overhead, seen.taken_in_s, _WEIGHT, now_s)
    return replace(live, cells=cells, paces=paces, overhead=overhead, now_s=now_s)


def predict(
    live: Live, model: str, task: TaskKind, tier: Tier, steps: int, count: int, timed: bool, allowance: float
) -> Prediction | None:
    """How long `count` items of `steps` each would take now; None where nothing tells.

    `timed` says that the tier's latency is of this task; `allowance` is how many mean deviations to allow for.
    """
    others = live.in_flight.get(model, 0)
    crowd = (others + count) / count
    told_s = _told_unit_s(tier, steps) if timed else None
    if told_s is not None and (pace := live.paces.get(model)) is not None:
        told_s *= 1 + (pace.mean - 1) * _faded(live.now_s - pace.seen_s, _PACE_HALF_LIFE_S)
    by_load = live.cells.get(_place(model, task, tier, count, steps))
    if by_load is None:
        if told_s is None:
            return None
        mean, deviation = told_s * crowd, told_s * crowd * _UNSEEN_DEVIATION
    else:
        load = others.bit_length()
        known = load if load in by_load else max((at for at in by_load if at < load), default=min(by_load))
        cell = by_load[known]
        # Items of one model share its steps: until it is seen, twice as many take twice as long.
        scale = 1.0 if known == load else crowd / (((1 << known) - 1 + count) / count)
        mean, deviation = cell.mean * scale, cell.deviation * scale
        if told_s is not None:
            share = _faded(live.now_s - cell.seen_s, HALF_LIFE_S)
            mean = share * mean + (1 - share) * told_s * crowd
            deviation = share * deviation + (1 - share) * told_s * crowd * _UNSEEN_DEVIATION
    units = count * max(1, steps)
    overhead = live.overhead
    taken_in_s = 0.0 if overhead is None else overhead.mean
    latency_s = taken_in_s + units * mean
    spare_s = units * deviation + (0.0 if overhead is None else overhead.deviation)
    return latency_s, latency_s + allowance * spare_s


def _place(model: str, task: TaskKind, tier: Tier, count: int, steps: int) -> Place:
    return model, task, tier.sampler or "", count.bit_length(), steps.bit_length()


def _told_unit_s(tier: Tier, steps: int) -> float | None:
    """Seconds for a unit as the manifest tells: for a step where steps are counted, else for an item."""
    if tier.latency_s is None:
        return None
    return tier.latency_s / (tier.steps or steps) if steps else tier.latency_s


def _blended(cell: Cell | None, value: float, weight: float, now_s: float) -> Cell:
    """The cell with one more value. The first few count alike, so that the first, a cold one, soon counts little.

    A value far out counts as one less far out; where more of them come, the deviation has grown to meet them.
    """
    if cell is None:
        return Cell(value, value * _UNSEEN_DEVIATION, now_s)
    value = min(value, cell.mean + _FAR_OUT * cell.deviation)
    weight = max(weight, 1 / (cell.count + 1))
    mean = cell.mean + weight * (value - cell.mean)
    deviation = cell.deviation + weight * (abs(value - cell.mean) - cell.deviation)
    return Cell(mean, deviation, now_s, cell.count + 1)


def _faded(age_s: float, half_life_s: float) -> float:
    """What is left of something seen so long ago."""
    return 1.0 if age_s <= 0 else float(0.5 ** (age_s / half_life_s))
