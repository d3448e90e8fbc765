"""`python -m tests.fuzz --requests 200000 --frames 10000 --seed 1`: against a platform of its own; memory told too.

With `--local` the models are in the gateway's process, and there is no cluster.
"""

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from bench.platform import ROOT, platform
from tests.fuzz.corpus import MODELS, seeds
from tests.fuzz.driver import Report, answers, resident_mb, send_frames, send_mutants
from tests.fuzz.frames import Attacks
from tests.fuzz.mutations import Mutator

_SETTLE = 0.05  # of the requests: what memory is compared with is what it is after so many


def main() -> int:
    """Exit code 1 where anything happened that must not."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=48)
    parser.add_argument("--local", action="store_true", help="a gateway with its models in one process")
    options = parser.parse_args()
    with _one_process() if options.local else _platform() as (target, processes):
        return asyncio.run(_fuzz(target, processes, options))


@contextmanager
def _platform() -> Iterator[tuple[str, dict[str, psutil.Process]]]:
    """Where it listens, and its gateway and replicas."""
    families: dict[str, object] = {
        name: {"models": models, "num_cpus": 0, "intra_op_threads": 1, "max_queue": 64}
        for name, models in MODELS.items()
    }
    families["hybrid"] = {"models": ["fashion-refined"]}
    with platform(families) as running:
        (gateway,) = running.processes("sextant.gateway")
        replicas = {name: running.processes(f"ServeReplica:sextant-{name}:")[0] for name in MODELS}
        yield running.target, {"gateway": gateway, **replicas}


@contextmanager
def _one_process() -> Iterator[tuple[str, dict[str, psutil.Process]]]:
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-m", "tests.fuzz.server"], stdin=pipe, stdout=pipe, cwd=ROOT)
    try:
        assert process.stdout is not None
        yield f"127.0.0.1:{int(process.stdout.readline())}", {"gateway": psutil.Process(process.pid)}
    finally:
        process.communicate(timeout=60)


async def _fuzz(target: str, processes: dict[str, psutil.Process], options: argparse.Namespace) -> int:
    mutator, attacks = iter(Mutator(seeds(), options.seed)), Attacks(options.seed)
    first = int(_SETTLE * options.requests)
    reports: list[Report] = [await send_mutants(target, mutator, first, options.at_once)]
    _tell(reports[-1])
    before = resident_mb(list(processes.values()))
    left, step = options.requests - first, max(1, options.requests // 10)
    while left > 0:
        reports.append(await send_mutants(target, mutator, min(step, left), options.at_once))
        _tell(reports[-1], resident_mb(list(processes.values())))
        left -= step
    frames = await send_frames(target, attacks, options.frames)
    _tell(frames, resident_mb(list(processes.values())))
    await asyncio.sleep(3.0)
    for name, was, now in zip(processes, before, resident_mb(list(processes.values())), strict=True):
        print(f"{name}: {was:.0f} -> {now:.0f} MB")
    defects = [defect for report in (*reports, frames) for defect in report.defects]
    if not await answers(target):
        defects.append("the gateway does not serve at the end")
    print("\n".join(defects) or "nothing that must not happen")
    return 1 if defects else 0


def _tell(report: Report, memory: list[float] | None = None) -> None:
    told = "" if memory is None else f"; MB: {' '.join(f'{figure:.0f}' for figure in memory)}"
    print(f"{time.strftime('%H:%M:%S')} {report}{told}", flush=True)
    for defect in report.defects[:3]:
        print(f"    {defect[:300]}", flush=True)


sys.exit(main())
