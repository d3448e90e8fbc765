"""Load on the family that speed prefers: where requests in a hurry go, beside requests that insist on that family.

In the middle third of the time other clients keep the GAN busy with many pictures each. One client asks for a picture
at priority speed with a deadline, every so often, and lets the guide choose; another names the GAN with the same
deadline.
"""

import asyncio
import time
from statistics import mean
from typing import Any

import grpc

from bench.guide_plots import SAMPLES, figure
from bench.platform import platform
from sextant.contract.v1 import generation_pb2, generation_pb2_grpc, guide_pb2, media_pb2

FAMILIES = {"gan": ["fashion-dcgan"], "vae": ["fashion-vae"], "flow": ["fashion-glow"]}
PREFERRED = "fashion-dcgan"
PHASE_S = 12.0
PERIOD_S = 0.1
DEADLINE_S = 0.1
BUSY_CLIENTS = 6
BUSY_COUNT = 48


def measure() -> dict[str, Any]:
    """Every request of the two clients: when, by which model, how long it took, whether that was in time."""
    families = {name: {"models": models, "num_cpus": 0, "max_queue": 1024} for name, models in FAMILIES.items()}
    with platform(families) as running:
        rows = asyncio.run(_run(running.target))
    _plot(rows)
    return {"asked": len(rows), **_summary(rows)}


async def _run(target: str) -> list[dict[str, Any]]:
    async with grpc.aio.insecure_channel(target) as channel:
        generate = generation_pb2_grpc.GenerationStub(channel).Generate
        for model in (m for models in FAMILIES.values() for m in models):
            for _ in range(10):
                await _ask(generate, model, None)
        began = time.perf_counter()
        rows: list[dict[str, Any]] = []
        busy = (asyncio.create_task(_busy(generate, began)) for _ in range(BUSY_CLIENTS))
        asking = (_client(generate, began, who, rows) for who in ("guide", PREFERRED))
        await asyncio.gather(*busy, *asking)
    return sorted(rows, key=lambda row: row["at_s"])


async def _busy(generate: Any, began: float) -> None:
    """Many pictures by the preferred model, one request after the other, in the middle third."""
    await asyncio.sleep(PHASE_S - (time.perf_counter() - began))
    request = generation_pb2.GenerateRequest(
        options=generation_pb2.Options(model=PREFERRED), count=BUSY_COUNT, output=media_pb2.MODALITY_IMAGE
    )
    while time.perf_counter() - began < 2 * PHASE_S:
        async for _ in generate(request):
            pass


async def _client(generate: Any, began: float, who: str, rows: list[dict[str, Any]]) -> None:
    waiting = []
    while (at_s := time.perf_counter() - began) < 3 * PHASE_S:

        async def one(at_s: float = at_s) -> None:
            told = await _ask(generate, "" if who == "guide" else who, DEADLINE_S)
            rows.append({"at_s": at_s, "who": who, **told})

        waiting.append(asyncio.create_task(one()))
        await asyncio.sleep(PERIOD_S)
    await asyncio.gather(*waiting)


async def _ask(generate: Any, model: str, deadline_s: float | None) -> dict[str, Any]:
    options = generation_pb2.Options(model=model, priority=guide_pb2.PRIORITY_SPEED)
    request = generation_pb2.GenerateRequest(options=options, output=media_pb2.MODALITY_IMAGE)
    chosen, began, in_time = "", time.perf_counter(), False
    try:
        async for event in generate(request, timeout=deadline_s):
            if event.HasField("accepted"):
                chosen = event.accepted.decision.choice.model
            in_time = event.HasField("receipt")
    except grpc.aio.AioRpcError:
        in_time = False
    return {"model": chosen, "seconds": time.perf_counter() - began, "in_time": in_time}


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """By client and third of the time: requests, in time, by the preferred model."""
    found: dict[str, Any] = {}
    for who in ("guide", PREFERRED):
        for third, name in enumerate(("before", "under load", "after")):
            some = [r for r in rows if r["who"] == who and third * PHASE_S <= r["at_s"] < (third + 1) * PHASE_S]
            found.setdefault(who, {})[name] = {
                "requests": len(some),
                "in_time": mean(row["in_time"] for row in some),
                "preferred": mean(row["model"] == PREFERRED for row in some),
            }
    return {"by_client": found}


def _plot(rows: list[dict[str, Any]]) -> None:
    with figure(SAMPLES / "guide-load.svg", 2) as axes:
        for axis, who in zip(axes, ("guide", PREFERRED), strict=True):
            own = [row for row in rows if row["who"] == who]
            for model in dict.fromkeys(row["model"] for row in sorted(own, key=lambda row: row["model"])):
                some = [row for row in own if row["model"] == model]
                x, y = [row["at_s"] for row in some], [1000 * row["seconds"] for row in some]
                axis.scatter(x, y, s=9, label=model or "none")
            late = [row for row in own if not row["in_time"]]
            x, y = [row["at_s"] for row in late], [1000 * row["seconds"] for row in late]
            axis.scatter(x, y, s=30, marker="x", color="black", label="late")
            axis.axhline(1000 * DEADLINE_S, color="black", linewidth=0.8)
            axis.axvspan(PHASE_S, 2 * PHASE_S, alpha=0.12)
            told = "the guide chooses, speed first" if who == "guide" else f"{who} named outright"
            axis.set(title=told, ylabel="taken, ms", ylim=(0, 1.3 * 1000 * DEADLINE_S))
            axis.legend(fontsize=7, loc="upper right")
        axes[-1].set(xlabel="seconds; shaded: other clients keep the GAN busy")


def table(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = ["| client | time | requests | in time | by the GAN |", "|---|---|---|---|---|"]
    for who, phases in found["by_client"].items():
        for phase, row in phases.items():
            name = "guide chooses" if who == "guide" else f"{who} named"
            figures = f"{row['requests']} | {row['in_time']:.1%} | {row['preferred']:.0%}"
            lines.append(f"| {name} | {phase} | {figures} |")
    return "\n".join(lines)
