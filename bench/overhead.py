"""What the platform itself costs: a trivial sampler through the gateway against a bare grpc.aio echo; and memory."""

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import quantiles
from typing import Any

import grpc

from bench.platform import ROOT, platform
from sextant.contract.v1 import generation_pb2, generation_pb2_grpc, media_pb2
from tests.probe import write_probe_bundle

CLIENTS = [1, 32]
REQUESTS = 3000

_ECHO = """
import asyncio, grpc
from sextant.contract.v1 import generation_pb2, generation_pb2_grpc
class Echo(generation_pb2_grpc.GenerationServicer):
    async def Encode(self, request, context):
        return generation_pb2.EncodeResponse()
async def main():
    server = grpc.aio.server()
    generation_pb2_grpc.add_GenerationServicer_to_server(Echo(), server)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    await server.wait_for_termination()
asyncio.run(main())
"""


def measure() -> dict[str, Any]:
    """Latency in seconds by number of clients, requests per second, and resident memory in bytes."""
    found: dict[str, Any] = {}
    echo = subprocess.Popen([sys.executable, "-c", _ECHO], stdout=subprocess.PIPE, cwd=ROOT)
    try:
        assert echo.stdout is not None
        port = int(echo.stdout.readline())
        found["bare grpc.aio echo"] = asyncio.run(_load(f"127.0.0.1:{port}"))
    finally:
        echo.terminate()
        echo.wait()
    with tempfile.TemporaryDirectory() as directory:
        write_probe_bundle(Path(directory))
        probe = {"models": ["probe"], "implementation": "tests.probe:FAMILY", "max_queue": 256}
        text = {"models": ["smollm2-135m-instruct", "minilm-l6-v2"]}
        with platform({"probe": probe, "transformer": text}, [Path(directory)]) as running:
            found["through the gateway"] = asyncio.run(_load(running.target))
            found["memory"] = {
                "gateway": _memory(running.processes("sextant.gateway")),
                "replica, probe": _memory(running.processes("ServeReplica:sextant-probe")),
                "replica, both text models": _memory(running.processes("ServeReplica:sextant-transformer")),
                "all processes": _memory([running.supervisor, *running.supervisor.children(recursive=True)]),
            }
    return found


def _memory(processes: list[Any]) -> dict[str, int]:
    """Resident memory, and what of it is shared with no other process."""
    full = [process.memory_full_info() for process in processes]
    return {"rss": sum(info.rss for info in full), "uss": sum(info.uss for info in full)}


async def _load(target: str) -> dict[int, dict[str, float]]:
    request = generation_pb2.EncodeRequest(
        options=generation_pb2.Options(model="probe", seed=1),
        items=[media_pb2.Media(text=media_pb2.Text(content="x" * 1000))],
    )
    found = {}
    async with grpc.aio.insecure_channel(target) as channel:
        encode = generation_pb2_grpc.GenerationStub(channel).Encode
        for clients in CLIENTS:
            taken: list[float] = []

            async def worker(requests: int, taken: list[float] = taken) -> None:
                for _ in range(requests):
                    started = time.perf_counter()
                    await encode(request)
                    taken.append(time.perf_counter() - started)

            await asyncio.gather(*(worker(20) for _ in range(clients)))
            taken.clear()
            started = time.perf_counter()
            await asyncio.gather(*(worker(REQUESTS // clients) for _ in range(clients)))
            seconds = time.perf_counter() - started
            cuts = quantiles(taken, n=100)
            found[clients] = {"p50_s": cuts[49], "p99_s": cuts[98], "requests_per_s": len(taken) / seconds}
    return found


def table(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = ["| unary call, 1 KB | clients | p50 ms | p99 ms | calls/s |", "|---|---|---|---|---|"]
    for name in ("bare grpc.aio echo", "through the gateway"):
        for clients, v in found[name].items():
            row = f"{1000 * v['p50_s']:.2f} | {1000 * v['p99_s']:.2f} | {v['requests_per_s']:.0f}"
            lines.append(f"| {name} | {clients} | {row} |")
    lines += ["", "| resident memory | RSS MB | unshared MB |", "|---|---|---|"]
    for name, memory in found["memory"].items():
        lines.append(f"| {name} | {memory['rss'] / 1e6:.0f} | {memory['uss'] / 1e6:.0f} |")
    return "\n".join(lines)
