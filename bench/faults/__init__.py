"""Faults under load: replicas killed, paused and cut off, gateways killed, and what became of the requests meanwhile.

A real platform on this machine, two replicas of every family and two gateways. First the load runs undisturbed, then
with faults drawn from a seed; every answer is held against the one that was given before anything went wrong. Only
processes that the harness itself started are ever signalled, and a pause or a partition always ends.

    python -m bench faults --seconds 600 --seed 1 --kill-every 10
    python -m bench faults --faults kill,pause,partition,gateway
"""

import asyncio
from typing import Any

from bench.faults.load import Callers, Ledger, answers
from bench.faults.plan import KINDS, plan
from bench.faults.proxy import Proxy
from bench.faults.questions import FAMILIES, questions
from bench.faults.site import Site, site
from bench.faults.wrecking import wreck

__all__ = ["KINDS", "measure", "table"]


def measure(
    seconds: float = 120.0,
    seed: int = 1,
    kill_every: float = 10.0,
    faults: tuple[str, ...] = ("kill",),
    families: tuple[str, ...] = FAMILIES,
    callers: int = 4,
) -> dict[str, Any]:
    """The figures without faults (for a quarter of `seconds`, at least 15) and with one every `kill_every` seconds."""
    return asyncio.run(_measure(seconds, seed, kill_every, faults, families, callers))


async def _measure(
    seconds: float, seed: int, every: float, faults: tuple[str, ...], families: tuple[str, ...], callers: int
) -> dict[str, Any]:
    async with Proxy() as proxy, site(families, proxy if "partition" in faults else None) as running:
        asked = questions(families)
        expected = await answers(running.target, asked)
        load = Callers(running.target, asked, expected, seed, callers, asks_again="gateway" in faults)
        calm = await load.run(max(15.0, seconds / 4))
        drawn = plan(seed, seconds, every, faults, families)
        stormy, done = await asyncio.gather(load.run(seconds), wreck(running, proxy, drawn))
        back_s = await _whole_again(running)
    return {
        "seed": seed,
        "seconds": seconds,
        "kill_every": every,
        "callers": callers,
        "faults": {kind: sum(fault.kind == kind for fault in done) for kind in faults},
        "families": list(families),
        "without": calm.summary(),
        "with": stormy.summary(),
        "whole_again_s": back_s,
        "examples": stormy.examples(),
    }


async def _whole_again(running: Site) -> float:
    """Seconds from the end of the load until every family has all its replicas again."""
    began = asyncio.get_running_loop().time()
    while not all(len(running.replicas(family)) >= running.copies for family in running.families):
        await asyncio.sleep(0.5)
        if asyncio.get_running_loop().time() - began > 120:
            return float("nan")
    return asyncio.get_running_loop().time() - began


def table(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = [
        f"{', '.join(f'{count} x {kind}' for kind, count in found['faults'].items())} in {found['seconds']:.0f} s, "
        f"seed {found['seed']}, {found['callers']} callers",
        "",
        "| | requests | lost | wrong | duplicated | late | moved | asked again | p50 ms | p99 ms | slowest s |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in ("without", "with"):
        row = found[name]
        counts = " | ".join(str(row[key]) for key in Ledger.COUNTS)
        times = f"{1000 * row['p50_s']:.0f} | {1000 * row['p99_s']:.0f} | {row['slowest_s']:.1f}"
        lines.append(f"| {name} faults | {row['requests']} | {counts} | {times} |")
    lines += ["", "| family | p50 ms | p99 ms | p50 ms with faults | p99 ms with faults |", "|---|---|---|---|---|"]
    for family in found["without"]["by_family"]:
        calm, stormy = (found[name]["by_family"].get(family) for name in ("without", "with"))
        if calm and stormy:
            figures = (calm["p50_s"], calm["p99_s"], stormy["p50_s"], stormy["p99_s"])
            lines.append(f"| {family} | " + " | ".join(f"{1000 * figure:.0f}" for figure in figures) + " |")
    return "\n".join(lines + ([""] + found["examples"] if found["examples"] else []))
