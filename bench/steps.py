"""Many steps: denoising steps, pixels and samples per second, beside loops that share no calls or remember nothing.

The engine is the step scheduler with the sampler, as in a replica, without gRPC. The peers run in turns with it: the
loop of diffusers' pipelines with torch on the same weights, and autoregressive loops that run the whole network again
for each value. First previews and first pieces of sound are measured through the gateway, alone and among eight others.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, aclosing, suppress
from statistics import median
from typing import Any

import torch

from bench.engine import Engine
from bench.peers import diffusers_loop, naive_loops, torch_networks
from bench.platform import platform
from sextant.bundles.store import BundleStore
from sextant.client import AsyncClient
from sextant.client.answers import AudioPiece
from sextant.client.requests import GenerateOptions
from sextant.contract.events import Progress
from sextant.contract.tasks import Conditions, DiffusionParameters, DiffusionSampler, Task, TaskKind

WIDTHS = (1, 4, 16)
COMPANY = 8
THREADS = 2
ROUNDS = 3
_PIXELS = {1: 32, 16: 8}  # measured of the naive loops
_SAMPLES = {1: 24, 16: 4}
# Mixed requests: rule, steps, guidance. Guidance other than 1 asks the network twice in each step.
_MIX = (
    (DiffusionSampler.DPM_SOLVER_PP_2M, 10, 1.5),
    (DiffusionSampler.DDIM, 25, 1.0),
    (DiffusionSampler.EULER, 20, 3.0),
    (DiffusionSampler.DDPM, 30, 1.0),
)


def measure() -> dict[str, Any]:
    """Medians by section: "diffusion", "wavenet", "pixelcnn" by width, and "first" in seconds."""
    torch.manual_seed(0)
    return {
        "threads": THREADS,
        "diffusion": _diffusion(),
        "wavenet": _wavenet(),
        "pixelcnn": _pixelcnn(),
        "first": _first(),
    }


def _diffusion() -> dict[int, dict[str, float]]:
    """Sample-steps per second: a step of one picture, whether guidance asks once or twice."""
    torch.set_num_threads(THREADS)
    bundle = BundleStore.default().open("fashion-diffusion")
    engine, network = Engine(bundle, THREADS), torch_networks.unet(bundle)
    classes = bundle.manifest.network["classes"]

    def task(number: int) -> Task:
        sampler, steps, guidance = _MIX[number % len(_MIX)]
        given = DiffusionParameters(sampler, steps, guidance)
        return Task(TaskKind.GENERATE, number, conditions=Conditions(classes[number % 10]), parameters=given)

    def by_diffusers(tasks: list[Task]) -> None:
        for number, one in enumerate(tasks):
            assert isinstance(one.parameters, DiffusionParameters)
            diffusers_loop.picture(network, one.parameters, number % 10)

    found = {}
    for width in WIDTHS:
        # At width 1 all four kinds in turn: one request is not like another.
        groups = [[task(number)] for number in range(len(_MIX))] if width == 1 else [[*map(task, range(width))]]
        tasks = [one for group in groups for one in group]
        steps = sum(_MIX[number % len(_MIX)][1] for number in range(len(tasks)))
        ways = {
            "together": lambda groups=groups: [engine.run(group) for group in groups],
            "one by one": lambda tasks=tasks: [engine.run([one]) for one in tasks],
            "diffusers": lambda tasks=tasks: by_diffusers(tasks),
        }
        found[width] = {name: steps / seconds for name, seconds in _in_turns(ways).items()}
    return found


def _wavenet() -> dict[int, dict[str, float]]:
    """Samples per second, and seconds of sound made in one, of all sounds together; a thread each, as deployed."""
    torch.set_num_threads(1)
    bundle = BundleStore.default().open("digits-wavenet")
    engine, network = Engine(bundle, 1), torch_networks.wavenet(bundle)
    c = bundle.manifest.network
    found = {}
    for width in _SAMPLES:
        tasks = [
            Task(TaskKind.GENERATE, number, conditions=Conditions(c["classes"][number % 10])) for number in range(width)
        ]
        made = width * c["most_samples"]
        seconds, naive = _beside(
            lambda tasks=tasks: engine.run(tasks),
            lambda width=width: naive_loops.seconds_a_sound(network, width, c["most_samples"], _SAMPLES[width]),
        )
        found[width] = {"per_s": made / seconds, "naive_per_s": made / naive, "real_time": made / seconds}
        found[width]["real_time"] /= c["sample_rate_hz"]
    return found


def _pixelcnn() -> dict[int, dict[str, float]]:
    """Pictures per second; a thread each, as deployed."""
    torch.set_num_threads(1)
    bundle = BundleStore.default().open("fashion-pixelcnn")
    engine, network = Engine(bundle, 1), torch_networks.pixelcnn(bundle)
    classes = bundle.manifest.network["classes"]
    found = {}
    for width in _PIXELS:
        tasks = [
            Task(TaskKind.GENERATE, number, conditions=Conditions(classes[number % 10])) for number in range(width)
        ]
        seconds, naive = _beside(
            lambda tasks=tasks: engine.run(tasks),
            lambda width=width: naive_loops.seconds_a_picture(network, width, _PIXELS[width]),
        )
        found[width] = {"per_s": width / seconds, "naive_per_s": width / naive}
    return found


def _in_turns(ways: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Median seconds of each, round after round, so that a busy moment falls on all."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            taken[name].append(time.perf_counter() - started)
    return {name: median(seconds) for name, seconds in taken.items()}


def _beside(ours: Callable[[], float], naive: Callable[[], float]) -> tuple[float, float]:
    """Median seconds of both, in turns; the first of the naive loop warms torch up."""
    naive()
    pairs = [(ours(), naive()) for _ in range(ROUNDS)]
    return median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)


def _first() -> dict[str, dict[str, float]]:
    families = {
        "diffusion": {"models": ["fashion-diffusion"], "intra_op_threads": THREADS},
        "autoregressive": {"models": ["digits-wavenet"], "intra_op_threads": 1},
    }
    preview: GenerateOptions = {
        "model": "fashion-diffusion",
        "conditions": Conditions("coat"),
        "diffusion": DiffusionParameters(steps=20, preview_every_steps=1),
    }
    sound: GenerateOptions = {"model": "digits-wavenet", "conditions": Conditions("7")}
    with platform(families) as running:
        return {
            "preview": asyncio.run(_waits(running.target, preview)),
            "sound": asyncio.run(_waits(running.target, sound)),
        }


async def _waits(target: str, options: GenerateOptions) -> dict[str, float]:
    """Median seconds to the first preview or piece of sound: alone, and joining `COMPANY` others that never end."""
    async with AsyncClient(target) as client, AsyncExitStack() as stack:

        async def first() -> float:
            started = time.perf_counter()
            async with aclosing(client.generate(**options).events()) as events:
                async for event in events:
                    if isinstance(event, AudioPiece) or (isinstance(event, Progress) and event.preview is not None):
                        return time.perf_counter() - started
            raise RuntimeError("the stream ended without what was waited for")

        async def again_and_again() -> None:
            while True:
                async for _ in client.generate(**options):
                    pass

        await first()
        found = {"alone": median([await first() for _ in range(15)])}
        company = [asyncio.create_task(again_and_again()) for _ in range(COMPANY)]
        stack.push_async_callback(_cancel, company)
        await asyncio.sleep(1.0)
        found["in company"] = median([await first() for _ in range(15)])
    return found


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task


def table(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = [
        f"| diffusion, {found['threads']} threads | steps/s | one by one | diffusers | to one by one | to diffusers |",
        "|---|---|---|---|---|---|",
    ]
    for width, rates in found["diffusion"].items():
        ours, alone, peer = (rates[name] for name in ("together", "one by one", "diffusers"))
        shown = f"{ours:.0f} | {alone:.0f} | {peer:.0f} | {ours / alone:.2f}x | {ours / peer:.2f}x"
        lines.append(f"| {width} at once | {shown} |")
    lines += [
        "",
        "| one value after another, 1 thread | per second | real time | naive loop | ratio |",
        "|---|---|---|---|---|",
    ]
    for width, rates in found["wavenet"].items():
        shown = f"{rates['per_s']:.0f} samples | {rates['real_time']:.2f}x | {rates['naive_per_s']:.1f}"
        lines.append(f"| digits-wavenet, {width} at once | {shown} | {rates['per_s'] / rates['naive_per_s']:.0f}x |")
    for width, rates in found["pixelcnn"].items():
        shown = f"{rates['per_s']:.1f} pictures | | {rates['naive_per_s']:.3f}"
        lines.append(f"| fashion-pixelcnn, {width} at once | {shown} | {rates['per_s'] / rates['naive_per_s']:.0f}x |")
    lines += ["", f"| through the gateway | alone, ms | among {COMPANY} others, ms |", "|---|---|---|"]
    for name, shown in (("preview", "first preview, diffusion"), ("sound", "first piece of sound, WaveNet")):
        waits = found["first"][name]
        lines.append(f"| {shown} | {1000 * waits['alone']:.0f} | {1000 * waits['in company']:.0f} |")
    return "\n".join(lines)
