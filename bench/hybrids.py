"""Hybrids: faces from words, co-located and distributed, beside one loop written by hand over the same ONNX sessions.

Both run as `sextant up` runs them, and are asked over gRPC by a client of this process, in turns with the loop, so that
a busy moment falls on all; ratios are medians of those of each turn. What many requests at once gain is measured
against one after another, and beside it what the denoiser alone would gain by the same rows in fewer calls. All of it
with one thread a call, which leaves a core to whatever is not a network, and with as many as there are cores.
"""

import asyncio
import io
import time
from collections.abc import Awaitable, Callable, Sequence
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
THREADS = (1, 2)
AT_ONCE = 8
ROUNDS = 15
MANY_ROUNDS = 5
PROMPT = "a cheerful person with long black hair and sunglasses in light blue clothes against purple"

Way = Callable[[int], Awaitable[object]]


def measure() -> dict[str, Any]:
    """By threads of a call: seconds of a picture by way, and of `AT_ONCE` pictures together and one after another."""
    return {str(threads): _with_threads(threads) for threads in THREADS}


def _with_threads(threads: int) -> dict[str, Any]:
    store = BundleStore.default()
    stages = store.manifest(HYBRID).graph["generate"]["stages"]
    models = {name: stage["model"] for name, stage in stages.items()}
    loop = LatentDiffusionLoop(store, models["read"], models["denoise"], models["paint"], threads)
    shape = tuple(store.manifest(models["denoise"]).network["latent"]["shape"])

    def by_hand(seed: int) -> NDArray[np.uint8]:
        noise = RequestRng(own_seed(seed, "denoise"), 0).normal("diffusion/start", shape=shape)
        return loop.picture(PROMPT, noise)

    common = {"num_cpus": 0, "intra_op_threads": threads}
    together = {"hybrid": {"models": [HYBRID], "co_located": True, **common}}
    apart: dict[str, Any] = {"hybrid": {"models": [HYBRID]}}
    for model in models.values():
        apart.setdefault(store.manifest(model).family, {"models": [], **common})["models"].append(model)
    with ExitStack() as running:
        targets = {
            "co-located": running.enter_context(platform(together)).target,
            "distributed": running.enter_context(platform(apart)).target,
        }
        found = asyncio.run(_measure(targets, by_hand))
    return {**found, "denoiser_s": _denoiser(loop)}


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
        everyone = ["by hand", *ways]
        taken: dict[str, list[float]] = {name: [] for name in everyone}
        for seed in range(ROUNDS):
            first = seed % len(everyone)  # none is always the one after another
            for name in (*everyone[first:], *everyone[:first]):
                started = time.perf_counter()
                await ways[name](seed) if name in ways else by_hand(seed)
                taken[name].append(time.perf_counter() - started)
        many: dict[str, dict[str, list[float]]] = {name: {"together": [], "in turn": []} for name in ways}
        for _ in range(MANY_ROUNDS):
            for name, way in ways.items():
                many[name]["together"].append(await _timed(way, range(AT_ONCE)))
                many[name]["in turn"].append(sum([await _timed(way, [seed]) for seed in range(AT_ONCE)]))
        return {
            "latency_s": {name: median(seconds) for name, seconds in taken.items()},
            "to_by_hand": {name: _ratio(seconds, taken["by hand"]) for name, seconds in taken.items()},
            "many_s": {name: {how: median(seconds) for how, seconds in both.items()} for name, both in many.items()},
            "gain": {name: _ratio(both["in turn"], both["together"]) for name, both in many.items()},
        }


def _ratio(one: Sequence[float], other: Sequence[float]) -> float:
    """The median over turns of what one took to what the other did."""
    return median(a / b for a, b in zip(one, other, strict=True))


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


def _denoiser(loop: LatentDiffusionLoop) -> dict[str, float]:
    """Median seconds of the denoiser's calls for `AT_ONCE` pictures, of all rows in each call and of those of one."""
    taken: dict[str, list[float]] = {"together": [], "in turn": []}
    for _ in range(MANY_ROUNDS):
        for how, rows, times in (("together", 2 * AT_ONCE, 1), ("in turn", 2, AT_ONCE)):
            started = time.perf_counter()
            for _ in range(times):
                loop.denoise(rows)
            taken[how].append(time.perf_counter() - started)
    return {how: median(seconds) for how, seconds in taken.items()}


def table(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = ["| threads | one face from words | ms | to the loop by hand |", "|---|---|---|---|"]
    for threads, one in found.items():
        for name, seconds in one["latency_s"].items():
            lines.append(f"| {threads} | {name} | {1000 * seconds:.1f} | {one['to_by_hand'][name] - 1:+.1%} |")
    lines += ["", f"| threads | {AT_ONCE} faces | together, s | one after another, s | gain |", "|---|---|---|---|---|"]
    for threads, one in found.items():
        for name, both in one["many_s"].items():
            shown = f"{both['together']:.2f} | {both['in turn']:.2f} | {one['gain'][name]:.2f}x"
            lines.append(f"| {threads} | {name} | {shown} |")
        alone = one["denoiser_s"]
        shown = f"{alone['together']:.2f} | {alone['in turn']:.2f} | {alone['in turn'] / alone['together']:.2f}x"
        lines.append(f"| {threads} | the denoiser alone | {shown} |")
    return "\n".join(lines)
