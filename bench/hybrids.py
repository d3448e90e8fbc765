"""Hybrids: faces from words, co-located and distributed, beside one loop written by hand over the same ONNX sessions.

Both run as `sextant up` runs them, and are asked over gRPC by a client of this process, in turns with the loop, so that
a busy moment falls on all. What many requests at once gain is measured against one after another, and beside it what
the denoiser alone would gain by the same rows in fewer calls: more than that no scheduler can.
"""

import asyncio
import io
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack
from statistics import median
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.peers.latent_diffusion_loop import LatentDiffusionLoop
from bench.platform import platform
from sextant.bundles.store import BundleStore
from sextant.contract.v1 import generation_pb2, generation_pb2_grpc
from sextant.hybrids.stages import own_seed
from sextant.runtime.rng import RequestRng

HYBRID = "faces-latent-diffusion"
THREADS = 2
AT_ONCE = 8
ROUNDS = 15
MANY_ROUNDS = 5
PROMPT = "a cheerful person with long black hair and sunglasses in light blue clothes against purple"

Way = Callable[[int], Awaitable[object]]


def measure() -> dict[str, Any]:
    """Median seconds of a picture by way, and of `AT_ONCE` pictures together and one after another."""
    store = BundleStore.default()
    stages = store.manifest(HYBRID).graph["generate"]["stages"]
    models = {name: stage["model"] for name, stage in stages.items()}
    families = {model: store.manifest(model).family for model in models.values()}
    loop = LatentDiffusionLoop(store, models["read"], models["denoise"], models["paint"], THREADS)
    shape = tuple(store.manifest(models["denoise"]).network["latent"]["shape"])

    def by_hand(seed: int) -> NDArray[np.uint8]:
        noise = RequestRng(own_seed(seed, "denoise"), 0).normal("diffusion/start", shape=shape)
        return loop.picture(PROMPT, noise)

    apart: dict[str, Any] = {"hybrid": {"models": [HYBRID]}}
    for model, family in families.items():
        default = {"models": [], "num_cpus": 0, "intra_op_threads": THREADS}
        apart.setdefault(family, default)["models"].append(model)
    together = {"hybrid": {"models": [HYBRID], "co_located": True, "num_cpus": 0, "intra_op_threads": THREADS}}
    with ExitStack() as running:
        targets = {
            "co-located": running.enter_context(platform(together)).target,
            "distributed": running.enter_context(platform(apart)).target,
        }
        found = asyncio.run(_measure(targets, by_hand))
    found["denoiser"] = _in_turns({str(rows): lambda rows=rows: loop.denoise(rows) for rows in (2, 2 * AT_ONCE)})
    return {"threads": THREADS, **found}


async def _measure(targets: dict[str, str], by_hand: Callable[[int], NDArray[np.uint8]]) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        stubs = {}
        for name, target in targets.items():
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(target))
            stubs[name] = generation_pb2_grpc.GenerationStub(channel).Generate
        ways: dict[str, Way] = {name: lambda seed, stub=stub: _picture(stub, seed) for name, stub in stubs.items()}
        for name, way in ways.items():  # which also warms all of them up
            off = np.abs((await way(1)).astype(int) - by_hand(1)).max()
            if off > 1:
                raise RuntimeError(f"{name} and the loop make different pictures, by {off} levels")
        taken: dict[str, list[float]] = {"by hand": [], **{name: [] for name in ways}}
        for seed in range(ROUNDS):
            started = time.perf_counter()
            by_hand(seed)
            taken["by hand"].append(time.perf_counter() - started)
            for name, way in ways.items():
                taken[name].append(await _timed(way, [seed]))
        many: dict[str, dict[str, list[float]]] = {name: {"together": [], "in turn": []} for name in ways}
        for _ in range(MANY_ROUNDS):
            for name, way in ways.items():
                many[name]["together"].append(await _timed(way, range(AT_ONCE)))
                many[name]["in turn"].append(sum([await _timed(way, [seed]) for seed in range(AT_ONCE)]))
        return {
            "latency_s": {name: median(seconds) for name, seconds in taken.items()},
            "many_s": {name: {how: median(seconds) for how, seconds in both.items()} for name, both in many.items()},
        }


async def _picture(generate: Any, seed: int) -> NDArray[np.uint8]:
    """A picture over gRPC, as the client has it."""
    request = generation_pb2.GenerateRequest(
        options=generation_pb2.Options(model=HYBRID, seed=seed), prompt=PROMPT, count=1
    )
    async for event in generate(request):
        if event.HasField("result"):
            content = event.result.media.image.data
    return np.asarray(Image.open(io.BytesIO(content)))


async def _timed(way: Way, seeds: Any) -> float:
    """Seconds until the pictures of all seeds are there, asked for at once."""
    started = time.perf_counter()
    await asyncio.gather(*map(way, seeds))
    return time.perf_counter() - started


def _in_turns(ways: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Median seconds of each."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(MANY_ROUNDS):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            taken[name].append(time.perf_counter() - started)
    return {name: median(seconds) for name, seconds in taken.items()}


def table(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    by_hand = found["latency_s"]["by hand"]
    lines = [f"| one face from words, {found['threads']} threads | ms | to the loop by hand |", "|---|---|---|"]
    for name, seconds in found["latency_s"].items():
        lines.append(f"| {name} | {1000 * seconds:.1f} | {seconds / by_hand - 1:+.1%} |")
    lines += ["", f"| {AT_ONCE} requests | together, s | one after another, s | gain |", "|---|---|---|---|"]
    for name, both in found["many_s"].items():
        gain = both["in turn"] / both["together"]
        lines.append(f"| {name} | {both['together']:.2f} | {both['in turn']:.2f} | {gain:.2f}x |")
    few, many = found["denoiser"]["2"], found["denoiser"][str(2 * AT_ONCE)]
    shown = f"{many:.2f} | {AT_ONCE * few:.2f} | {AT_ONCE * few / many:.2f}x"
    lines.append(f"| the denoiser alone, {2 * AT_ONCE} rows a call and 2 | {shown} |")
    return "\n".join(lines)
