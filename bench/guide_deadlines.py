"""Deadlines through the whole platform: from 20 ms to 10 s, how good is what comes, and does it come in time.

Afterwards every way to make a picture is asked for outright, many times. A request could have had better by as much as
the share of these times, of the way of better quality that is in time most often, that would have kept its deadline.
"""

import random
import time
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from bench.guide_plots import SAMPLES, figure
from bench.platform import platform
from sextant.client import Client, ClientError
from sextant.contract.tasks import DiffusionParameters, DiffusionSampler, TaskKind
from sextant.gateway.guide.decision import Tier
from sextant.gateway.guide.live import Live, Observation, observed, predict

FAMILIES = {
    "gan": ["fashion-biggan", "fashion-dcgan"],
    "vae": ["fashion-cvae", "fashion-vae"],
    "flow": ["fashion-glow"],
    "diffusion": ["fashion-diffusion"],
    "autoregressive": ["fashion-pixelcnn"],
}
DEADLINES_S = [float(s) for s in np.geomspace(0.02, 10, 28)]
REPEATS = 12
ALLOWANCES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
_REPLAYED = 4_000
_WARM_UP = 6
_ALONE = 25


def measure() -> dict[str, Any]:
    """By deadline: what was chosen, how often in time; by tier: how long it takes when asked for outright."""
    families = {name: {"models": models, "num_cpus": 0} for name, models in FAMILIES.items()}
    with platform(families) as running, Client(running.target) as client:
        ways = _ways(client)
        for way in ways.values():
            for _ in range(_WARM_UP):
                _ask(client, None, way)
        order = DEADLINES_S * REPEATS
        random.Random(0).shuffle(order)  # so that a busy moment falls on all deadlines alike
        rows = [_ask(client, deadline) for deadline in order]
        alone = {name: [_ask(client, None, way)["seconds"] for _ in range(_ALONE)] for name, way in ways.items()}
    quality = {name: way.quality for name, way in ways.items()}
    found: dict[str, Any] = {"asked": len(rows), **_summary(rows, alone, quality)}
    found["by_allowance"] = {str(allowance): _replayed(alone, quality, allowance) for allowance in ALLOWANCES}
    _plot(rows)
    return found


@dataclass(frozen=True)
class _Way:
    """One way to make a picture."""

    model: str
    quality: float
    diffusion: DiffusionParameters | None


def _ways(client: Client) -> dict[str, _Way]:
    """Every way to make a picture that a deadline may choose from, by the name of model and tier."""
    decided = client.decide("generate", output="image", deadline_s=1000.0)
    found: dict[str, _Way] = {}
    first = (decided.model, decided.tier, decided.quality)
    for model, tier, quality in [first, *((c.model, c.tier, c.quality) for c in decided.alternatives)]:
        sampler, _, steps = tier.partition("/")
        given = DiffusionParameters(sampler=DiffusionSampler(sampler), steps=int(steps)) if tier else None
        found[f"{model} {tier}".strip()] = _Way(model, quality, given)
    return found


def _ask(client: Client, deadline_s: float | None, way: _Way | None = None) -> dict[str, Any]:
    """One picture, chosen by the guide where no way is given; the client's clock says whether it was in time."""
    model, diffusion = (way.model, way.diffusion) if way else ("", None)
    began = time.perf_counter()
    stream = client.generate(None, output="image", model=model, diffusion=diffusion, timeout=deadline_s)
    try:
        for _ in stream.events():
            pass
        in_time = deadline_s is None or time.perf_counter() - began <= deadline_s
    except ClientError:
        in_time = False
    seconds = time.perf_counter() - began
    decision = stream.decision
    return {
        "deadline_s": deadline_s,
        "seconds": seconds,
        "in_time": in_time,
        "way": f"{decision.model} {decision.tier}".strip() if decision else "",
        "quality": decision.quality if decision else 0.0,
        "predicted_s": decision.predicted_latency_s if decision else 0.0,
        "gateway_s": stream.receipt.total_s if stream.receipt else None,
    }


def _summary(rows: list[dict[str, Any]], alone: dict[str, list[float]], quality: dict[str, float]) -> dict[str, Any]:
    """In time; better to be had; by deadline the mean of the qualities that were chosen."""
    by_deadline = {deadline: [row for row in rows if row["deadline_s"] == deadline] for deadline in DEADLINES_S}
    better = []
    for row in rows:
        ways = [name for name in alone if quality[name] > row["quality"]]
        better.append(max((np.mean(np.array(alone[n]) <= row["deadline_s"]) for n in ways), default=0.0))
    means = [float(np.mean([row["quality"] for row in some])) for some in by_deadline.values()]
    medians = [float(np.median([row["quality"] for row in some])) for some in by_deadline.values()]
    errors = [row["seconds"] / row["predicted_s"] for row in rows if row["in_time"] and row["predicted_s"]]
    back = [row["seconds"] - row["gateway_s"] for row in rows if row["gateway_s"] is not None]
    return {
        "in_time": float(np.mean([row["in_time"] for row in rows])),
        "better_to_be_had": float(np.mean(better)),
        "monotone": all(later >= earlier for earlier, later in pairwise(medians)),
        "largest_fall": max((earlier - later for earlier, later in pairwise(means)), default=0.0),
        "by_deadline": [
            {
                "deadline_s": deadline,
                "in_time": float(np.mean([row["in_time"] for row in some])),
                "quality": mean,
                "ways": dict(Counter(row["way"] for row in some)),
            }
            for (deadline, some), mean in zip(by_deadline.items(), means, strict=True)
        ],
        "taken_over_predicted": [float(q) for q in np.percentile(errors, (5, 50, 95, 99))] if errors else [],
        "outside_the_gateway_s": [float(q) for q in np.percentile(back, (50, 99))] if back else [],
        "way_p50_p95_s": {n: [float(q) for q in np.percentile(taken, (50, 95))] for n, taken in alone.items()},
    }


def _replayed(alone: dict[str, list[float]], quality: dict[str, float], allowance: float) -> dict[str, float]:
    """In time, and better to be had, had predictions allowed for so many mean deviations.

    Requests are drawn anew: deadlines evenly on their scale, times from those that were measured of each way.
    """
    rng = np.random.default_rng(0)
    live, in_time, better = Live(), [], []
    ways = sorted(alone, key=lambda name: -quality[name])
    tiers = {name: Tier(name, None, 0, quality[name], float(np.median(alone[name]))) for name in ways}
    for _ in range(_REPLAYED):
        deadline_s = float(np.exp(rng.uniform(np.log(DEADLINES_S[0]), np.log(DEADLINES_S[-1]))))
        chosen = ways[-1]
        for name in ways:
            told = predict(live, name, TaskKind.GENERATE, tiers[name], 0, 1, True, allowance)
            if told is not None and told[1] <= deadline_s:
                chosen = name
                break
        taken_s = float(rng.choice(alone[chosen]))
        in_time.append(taken_s <= deadline_s)
        others = [n for n in ways if quality[n] > quality[chosen]]
        better.append(max((np.mean(np.array(alone[n]) <= deadline_s) for n in others), default=0.0))
        seen = Observation(chosen, TaskKind.GENERATE, tiers[chosen], 0, 1, 0, 0.0, taken_s, timed=True)
        live = observed(live, seen, 0.0)
    return {"in_time": float(np.mean(in_time)), "better_to_be_had": float(np.mean(better))}


def _plot(rows: list[dict[str, Any]]) -> None:
    with figure(SAMPLES / "guide-deadlines.svg", 2) as (above, below):
        for way in dict.fromkeys(row["way"] for row in sorted(rows, key=lambda row: row["quality"])):
            some = [row for row in rows if row["way"] == way]
            x = [1000 * row["deadline_s"] for row in some]
            above.scatter(x, [row["quality"] for row in some], s=12, label=way or "none")
            below.scatter(x, [1000 * row["seconds"] for row in some], s=12)
        edge = [1000 * DEADLINES_S[0], 1000 * DEADLINES_S[-1]]
        below.plot(edge, edge, color="black", linewidth=0.8)
        above.set(xscale="log", ylabel="measured quality")
        above.legend(fontsize=7)
        below.set(xscale="log", yscale="log", xlabel="deadline, ms", ylabel="taken, ms")


def table(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = [
        f"{found['asked']} requests one after the other, deadlines from {1000 * DEADLINES_S[0]:.0f} ms to "
        f"{DEADLINES_S[-1]:.0f} s: {found['in_time']:.1%} in time, "
        f"{found['better_to_be_had']:.1%} could have had better; "
        f"quality {'never falls' if found['monotone'] else 'FALLS'} as deadlines grow (by the median at each).",
        "",
        "| deadline, ms | in time | mean quality | made by |",
        "|---|---|---|---|",
    ]
    for row in found["by_deadline"]:
        ways = ", ".join(f"{way or 'none'} ({count})" for way, count in row["ways"].items())
        lines.append(f"| {1000 * row['deadline_s']:.0f} | {row['in_time']:.0%} | {row['quality']:.3f} | {ways} |")
    low, middle, high, highest = found["taken_over_predicted"]
    lines += ["", "| mean deviations allowed for | in time | better to be had |", "|---|---|---|"]
    for allowance, row in found["by_allowance"].items():
        lines.append(f"| {allowance} | {row['in_time']:.1%} | {row['better_to_be_had']:.1%} |")
    lines += ["", f"Taken over predicted: 5% {low:.2f}, median {middle:.2f}, 95% {high:.2f}, 99% {highest:.2f}."]
    return "\n".join(lines)
