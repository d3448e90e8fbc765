"""Overload: callers that come at ten times the rate that can be served, and do not wait for one another.

First the peak: as many answers a second as callers get who each wait for theirs. Then open-loop arrivals (Poisson) at
that rate, twice and ten times: answers a second, how long those took that were let in, how fast the others were refused
and whether they were told when to come back, and what memory did.
"""

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any

import grpc
import psutil
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from bench.platform import Running, platform
from sextant.contract.v1 import generation_pb2, media_pb2

# Model, family, and what it is asked for.
MODELS: Mapping[str, tuple[str, generation_pb2.GenerateRequest]] = {
    "fashion-glow": ("flow", generation_pb2.GenerateRequest(output=media_pb2.MODALITY_IMAGE)),
    "fashion-diffusion": (
        "diffusion",
        generation_pb2.GenerateRequest(diffusion=generation_pb2.DiffusionParameters(steps=10)),
    ),
}
MAX_QUEUE = 32
CLIENTS = 24  # enough to fill every batch, and fewer than would be refused
FACTORS = (1.0, 2.0, 10.0)
SECONDS = 8.0
_GENERATE = "/sextant.v1.Generation/Generate"
_CHANNELS = 4


@dataclass
class Arrivals:
    """What became of them, in seconds: those that were answered, those that were refused, and the rest by code."""

    answered: list[float] = field(default_factory=list)
    in_time: int = 0  # of the answered, before arrivals ended
    refused: list[float] = field(default_factory=list)
    told_when: int = 0
    others: list[str] = field(default_factory=list)


def measure(models: tuple[str, ...] = tuple(MODELS), seconds: float = SECONDS) -> dict[str, Any]:
    """By model: the peak, and what came of each factor of it."""
    found: dict[str, Any] = {}
    for model in models:
        family, request = MODELS[model]
        options = {"models": [model], "num_cpus": 0, "intra_op_threads": 1, "max_queue": MAX_QUEUE}
        with platform({family: options}) as running:
            found[model] = asyncio.run(_measure(running, model, request, seconds))
    return found


async def _measure(
    running: Running, model: str, request: generation_pb2.GenerateRequest, seconds: float
) -> dict[str, Any]:
    whole = generation_pb2.GenerateRequest()
    whole.CopyFrom(request)
    whole.options.model = model
    data = whole.SerializeToString()
    processes = {
        "gateway": running.processes("sextant.gateway"),
        "replica": running.processes("ServeReplica:sextant-"),
    }
    own = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(running.target, own) for _ in range(_CHANNELS)]
    try:
        await _closed(channels, data, 2.0)
        peak = await _closed(channels, data, seconds)
        rows = []
        for factor in FACTORS:
            before = _memory(processes)
            arrivals = await _open(channels, data, factor * peak, seconds)
            rows.append({"factor": factor, **_row(arrivals, seconds), "before": before, "after": _memory(processes)})
            await asyncio.sleep(1.0)
    finally:
        for channel in channels:
            await channel.close()
    return {"peak_per_s": peak, "rows": rows}


async def _closed(channels: list[grpc.aio.Channel], data: bytes, seconds: float) -> float:
    """Answers a second for callers that wait for each."""
    arrivals, began = Arrivals(), time.perf_counter()

    async def caller(channel: grpc.aio.Channel) -> None:
        while time.perf_counter() - began < seconds:
            await _one(channel, data, arrivals)

    await asyncio.gather(*(caller(channels[number % _CHANNELS]) for number in range(CLIENTS)))
    return len(arrivals.answered) / (time.perf_counter() - began)


async def _open(channels: list[grpc.aio.Channel], data: bytes, rate: float, seconds: float) -> Arrivals:
    """Arrivals at `rate` a second, whether the ones before are answered or not."""
    arrivals, drawn = Arrivals(), random.Random(1)
    calls: set[asyncio.Task[None]] = set()
    began = due = time.perf_counter()
    number = 0
    while due - began < seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        while due <= time.perf_counter():  # a busy machine wakes late: what is due by now comes now
            task = asyncio.create_task(_one(channels[number % _CHANNELS], data, arrivals))
            calls.add(task)
            task.add_done_callback(calls.discard)
            due += drawn.expovariate(rate)
            number += 1
    arrivals.in_time = len(arrivals.answered)
    await asyncio.gather(*calls)
    return arrivals


async def _one(channel: grpc.aio.Channel, data: bytes, arrivals: Arrivals) -> None:
    began = time.perf_counter()
    try:
        async for _ in channel.unary_stream(_GENERATE)(data):
            pass
        arrivals.answered.append(time.perf_counter() - began)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
            arrivals.others.append(error.code().name)
            return
        arrivals.refused.append(time.perf_counter() - began)
        details = rpc_status.from_call(error).details
        arrivals.told_when += any(detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for detail in details)


def _row(arrivals: Arrivals, seconds: float) -> dict[str, Any]:
    return {
        "arrivals": len(arrivals.answered) + len(arrivals.refused) + len(arrivals.others),
        "goodput_per_s": arrivals.in_time / seconds,
        "answered": _times(arrivals.answered),
        "refused": {"count": len(arrivals.refused), "told_when": arrivals.told_when, **_times(arrivals.refused)},
        "others": arrivals.others[:10],
    }


def _times(taken: list[float]) -> dict[str, float]:
    if len(taken) < 2:
        return {"p50_s": float("nan"), "p99_s": float("nan")}
    cuts = quantiles(taken, n=100, method="inclusive")
    return {"p50_s": cuts[49], "p99_s": cuts[98]}


def _memory(processes: Mapping[str, list[psutil.Process]]) -> dict[str, float]:
    return {name: sum(process.memory_info().rss for process in group) for name, group in processes.items()}


def table(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = [
        "| model | arrivals, times the peak | answered a second | of the peak | answered p50 ms | p99 ms "
        "| refused | told when | refused p50 ms | p99 ms | gateway MB | replica MB |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for model, measured in found.items():
        for row in measured["rows"]:
            share = row["goodput_per_s"] / measured["peak_per_s"]
            answered, refused = row["answered"], row["refused"]
            memory = " | ".join(
                f"{row['before'][who] / 1e6:.0f} to {row['after'][who] / 1e6:.0f}" for who in ("gateway", "replica")
            )
            lines.append(
                f"| {model} | {row['factor']:g} | {row['goodput_per_s']:.1f} | {share:.0%} "
                f"| {1000 * answered['p50_s']:.0f} | {1000 * answered['p99_s']:.0f} "
                f"| {refused['count']} | {refused['told_when']} "
                f"| {1000 * refused['p50_s']:.1f} | {1000 * refused['p99_s']:.1f} | {memory} |"
            )
    return "\n".join(lines)
