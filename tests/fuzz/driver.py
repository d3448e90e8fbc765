"""Sends mutants to a gateway and watches how it takes them."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import grpc
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.fuzz.frames import Attacks
from tests.fuzz.mutations import Mutant

# What a server's own defects look like.
DEFECTS = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS, grpc.StatusCode.UNAVAILABLE)
# Beyond its deadline, by how much an answer may come on a crowded machine.
_HANG_S = 20.0
_UNARY = ("Encode", "Decode", "Score", "Decide", "ListModels", "GetModel", "Check")
_MOST_KEPT = 20


@dataclass
class Report:
    """How many were sent, what they were answered with, and whatever must not happen."""

    sent: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    defects: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def note(self, defect: str) -> None:
        """Keep what must not happen, the first of it."""
        if len(self.defects) < _MOST_KEPT:
            self.defects.append(defect)

    def __str__(self) -> str:
        codes = ", ".join(f"{name} {count}" for name, count in self.codes.most_common())
        return f"{self.sent} in {self.seconds:.0f} s ({self.sent / max(self.seconds, 1e-9):.0f}/s): {codes}"


async def send_mutants(target: str, mutants: Iterator[Mutant], count: int, at_once: int = 32) -> Report:
    """Send so many, `at_once` at a time, over several connections; every one must end, and not by a defect."""
    report, began = Report(), time.monotonic()
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
    todo = islice(mutants, count)
    channels = [grpc.aio.insecure_channel(target, options) for _ in range(4)]

    async def worker(channel: grpc.aio.Channel) -> None:
        for mutant in todo:
            await _send(channel, mutant, report)

    try:
        await asyncio.gather(*(worker(channels[number % len(channels)]) for number in range(at_once)))
    finally:
        for channel in channels:
            await channel.close()
    report.seconds = time.monotonic() - began
    return report


async def _send(channel: grpc.aio.Channel, mutant: Mutant, report: Report) -> None:
    code = grpc.StatusCode.OK
    try:
        async with asyncio.timeout(mutant.timeout_s + _HANG_S):
            if mutant.method.endswith("ServerReflectionInfo"):
                async for _ in channel.stream_stream(mutant.method)(iter([mutant.data]), timeout=mutant.timeout_s):
                    pass
            elif mutant.method.rpartition("/")[2] in _UNARY:
                await channel.unary_unary(mutant.method)(mutant.data, timeout=mutant.timeout_s)
            else:
                async for _ in channel.unary_stream(mutant.method)(mutant.data, timeout=mutant.timeout_s):
                    pass
    except grpc.aio.AioRpcError as error:
        code = error.code()
        # What gRPC's client says where a deadline ends a call while it still writes: the server has no part in it.
        if code in DEFECTS and error.details() != "Internal error from Core":
            report.note(f"{code.name} {error.details()} for {mutant.method} {mutant.told}: {mutant.data[:400]!r}")
    except asyncio.CancelledError:
        # So gRPC's client says that the server ended a call that was still being written.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        code = grpc.StatusCode.CANCELLED
    except TimeoutError:
        report.note(f"no end of {mutant.method} {mutant.told}: {mutant.data[:400]!r}")
    report.sent += 1
    report.codes[code.name] += 1


async def send_frames(target: str, attacks: Attacks, count: int, at_once: int = 16) -> Report:
    """So many connections that break HTTP/2 or gRPC; after every hundred the gateway must answer a proper call."""
    report, began = Report(), time.monotonic()
    host, _, port = target.rpartition(":")
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            kind, data = attacks.one()
            try:
                await _connect(host, int(port), data)
            except OSError as error:
                report.note(f"{kind}: {error}")
            report.sent += 1
            report.codes[kind] += 1
            if number % 100 == 0 and not await answers(target):
                report.note(f"no answer to a proper call after {kind}: {data[:200]!r}")

    await asyncio.gather(*(worker() for _ in range(at_once)))
    report.seconds = time.monotonic() - began
    return report


async def _connect(host: str, port: int, data: bytes) -> None:
    """Say it all, listen for a moment, hang up."""
    reader, writer = await asyncio.open_connection(host, port)
    with contextlib.suppress(OSError, TimeoutError):
        writer.write(data)
        async with asyncio.timeout(0.05):
            while await reader.read(65536):
                pass
    writer.transport.abort()


async def answers(target: str) -> bool:
    """Whether the gateway serves."""
    try:
        async with grpc.aio.insecure_channel(target, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            check = health_pb2_grpc.HealthStub(channel).Check
            told = await check(health_pb2.HealthCheckRequest(), timeout=20.0)
            return bool(told.status == health_pb2.HealthCheckResponse.SERVING)
    except grpc.aio.AioRpcError:
        return False


def resident_mb(processes: Sequence[psutil.Process]) -> list[float]:
    """Memory of each process, in MB. psutil's `NoSuchProcess` where one has ended."""
    return [process.memory_info().rss / 1e6 for process in processes]
