"""Which faults happen when: drawn from a seed, so that a run can be had again."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from bench.faults.questions import STAGES

# A replica's process killed; stopped and continued; cut off from the gateways and joined again; a gateway killed.
KINDS = ("kill", "pause", "partition", "gateway")
_PAUSE_S = 2.0, 20.0
_PARTITION_S = 2.0, 15.0


@dataclass(frozen=True, slots=True)
class Fault:
    """`family` says whose replica it hits, and `draw`, in [0, 1), which one; `lasts_s` is 0 for what is at once."""

    at_s: float
    kind: str
    family: str
    draw: float
    lasts_s: float = 0.0


def plan(seed: int, seconds: float, every_s: float, kinds: Sequence[str], families: Sequence[str]) -> list[Fault]:
    """A fault each `every_s` seconds, the first after half of that, none in the last `every_s`; kinds take turns."""
    unknown = set(kinds) - set(KINDS)
    if unknown:
        raise ValueError(f"unknown faults {sorted(unknown)}; known are {KINDS}")
    drawn = random.Random(seed)
    hosting = [family for family in families if family != "hybrid"] or list(STAGES)
    found = []
    at_s = every_s / 2
    while at_s < seconds - every_s:
        kind = kinds[len(found) % len(kinds)]
        family, draw = drawn.choice(hosting), drawn.random()
        lasts = {"pause": _PAUSE_S, "partition": _PARTITION_S}.get(kind, (0.0, 0.0))
        found.append(Fault(at_s, kind, family, draw, drawn.uniform(*lasts)))
        at_s += every_s
    return found
