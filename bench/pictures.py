"""Pictures in one step: images per second through the gateway, beside the bare ONNX session; time and memory to load.

The bare session runs the same network in this process with as many rows in a call as there are pictures on their way
through the gateway, and makes nothing of them: no seed, no PNG, no receipt.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import grpc
import numpy as np
import psutil

from bench.platform import ROOT, platform
from sextant.bundles.store import BundleStore
from sextant.contract.v1 import generation_pb2, generation_pb2_grpc, media_pb2
from sextant.families.row_network import RowNetwork
from sextant.runtime.session import SessionConfig

# Model, family, and the file that makes its pictures.
MODELS = (
    ("fashion-dcgan", "gan", "generator.onnx"),
    ("faces-stylegan", "gan", "synthesis.onnx"),
    ("fashion-vae", "vae", "decoder.onnx"),
    ("fashion-glow", "flow", "inverse.onnx"),
)
# Clients, and pictures of each request.
LOADS = ((1, 1), (1, 8), (8, 1), (8, 8), (32, 1), (32, 8), (32, 32))
SECONDS = 1.5
ROUNDS = 2

_LOAD = """
import json, psutil, sys, time
from sextant.bundles.store import BundleStore
from sextant.families.family import FAMILIES, family_at
from sextant.runtime.session import SessionConfig
import onnxruntime
family = family_at(FAMILIES[sys.argv[2]])
before, started = psutil.Process().memory_info().rss, time.perf_counter()
bundle = BundleStore.default().open(sys.argv[1])
sampler = family.load(bundle, SessionConfig())
seconds = time.perf_counter() - started
print(json.dumps({"seconds": seconds, "bytes": psutil.Process().memory_info().rss - before, "disk": bundle.size_bytes}))
"""


def measure() -> dict[str, Any]:
    """By model: images per second bare and through the gateway, seconds and bytes to load."""
    found: dict[str, Any] = {model: {"load": _load(model, family), "rates": []} for model, family, _ in MODELS}
    families: dict[str, Any] = {}
    for model, family, _ in MODELS:
        defaults = {"num_cpus": 0, "max_queue": 1024, "intra_op_threads": 1}  # room for all; threads as by default
        families.setdefault(family, {"models": [], **defaults})["models"].append(model)
    with platform(families) as running:
        for model, family, file in MODELS:
            network = RowNetwork(BundleStore.default().open(model).file(file), SessionConfig())
            processes = {
                "gateway": running.processes("sextant.gateway"),
                "replica": running.processes(f"ServeReplica:sextant-{family}"),
                "client": [psutil.Process()],
            }
            for clients, count in LOADS:
                bare, through, cpu = [], [], []
                for _ in range(ROUNDS):  # in turns, so that a busy moment falls on both
                    bare.append(_bare(network, clients * count))
                    rate, spent = asyncio.run(_through(running.target, model, clients, count, processes))
                    through.append(rate)
                    cpu.append(spent)
                row = {"clients": clients, "count": count, "bare": median(bare), "gateway": median(through)}
                row["cpu_ms"] = {who: median(spent[who] for spent in cpu) for who in processes}
                found[model]["rates"].append(row)
    return found


def _load(model: str, family: str) -> dict[str, float]:
    """In a process of its own; the median of three by seconds."""
    runs = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", _LOAD, model, family], cwd=ROOT, capture_output=True, check=True)
        runs.append(json.loads(done.stdout))
    return sorted(runs, key=lambda run: run["seconds"])[1]


def _bare(network: RowNetwork, rows: int) -> float:
    """Rows per second of the network alone; calls of at most 64 rows, as the sampler makes them."""
    rng = np.random.default_rng(0)
    rows = min(rows, 64)
    fed = {name: rng.normal(size=(rows, *shape)).astype(np.float32) for name, shape in network.inputs.items()}
    network.run(fed)
    calls, started = 0, time.perf_counter()
    while time.perf_counter() - started < 0.7:
        network.run(fed)
        calls += 1
    return calls * rows / (time.perf_counter() - started)


async def _through(
    target: str, model: str, clients: int, count: int, processes: Mapping[str, Sequence[psutil.Process]]
) -> tuple[float, dict[str, float]]:
    """Pictures per second that arrive, as PNG, at clients that ask again and again; each process's CPU ms a picture."""
    made = 0
    request = generation_pb2.GenerateRequest(
        options=generation_pb2.Options(model=model), output=media_pb2.MODALITY_IMAGE, count=count
    )
    async with grpc.aio.insecure_channel(target) as channel:
        generate = generation_pb2_grpc.GenerationStub(channel).Generate

        async def worker(until: float) -> None:
            nonlocal made
            while time.perf_counter() < until:
                async for event in generate(request):
                    made += event.HasField("result")

        await asyncio.gather(*(worker(time.perf_counter() + 0.5) for _ in range(clients)))
        before = _cpu_seconds(processes)
        made, started = 0, time.perf_counter()
        await asyncio.gather(*(worker(started + SECONDS) for _ in range(clients)))
        rate = made / (time.perf_counter() - started)
        return rate, {who: 1000 * (spent - before[who]) / made for who, spent in _cpu_seconds(processes).items()}


def _cpu_seconds(processes: Mapping[str, Sequence[psutil.Process]]) -> dict[str, float]:
    """User and system time so far."""
    return {who: sum(sum(one.cpu_times()[:2]) for one in group) for who, group in processes.items()}


def table(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = [
        "| model | clients | pictures a request | bare session, images/s | through the gateway | share "
        "| CPU ms a picture: gateway | replica | client |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for model, _, _ in MODELS:
        for row in found[model]["rates"]:
            rates = f"{row['bare']:.0f} | {row['gateway']:.0f} | {row['gateway'] / row['bare']:.0%}"
            cpu = " | ".join(f"{row['cpu_ms'][who]:.2f}" for who in ("gateway", "replica", "client"))
            lines.append(f"| {model} | {row['clients']} | {row['count']} | {rates} | {cpu} |")
    lines += ["", "| model | on disk, MB | to load, s | memory, MB |", "|---|---|---|---|"]
    for model, _, _ in MODELS:
        load = found[model]["load"]
        lines.append(f"| {model} | {load['disk'] / 1e6:.1f} | {load['seconds']:.2f} | {load['bytes'] / 1e6:.0f} |")
    return "\n".join(lines)
