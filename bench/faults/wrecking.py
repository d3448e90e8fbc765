"""Carries a plan out on processes of the platform that the harness started, and on no others."""

import asyncio
import contextlib
import signal
from collections.abc import Sequence

import psutil

from bench.faults.plan import Fault
from bench.faults.proxy import Proxy
from bench.faults.site import Site


async def wreck(running: Site, proxy: Proxy, faults: Sequence[Fault]) -> list[Fault]:
    """Do each fault at its time; those that were done. Whatever lasts has ended when this returns."""
    began = asyncio.get_running_loop().time()
    under_way: list[asyncio.Task[None]] = []
    done = []
    try:
        for fault in faults:
            await asyncio.sleep(max(0.0, began + fault.at_s - asyncio.get_running_loop().time()))
            task = _begun(running, proxy, fault)
            if task is not None:
                done.append(fault)
                under_way.append(task)
    finally:
        await asyncio.gather(*under_way)
    return done


def _begun(running: Site, proxy: Proxy, fault: Fault) -> asyncio.Task[None] | None:
    """The fault under way; None where there is nobody to do it to."""
    if fault.kind == "partition":
        ports = proxy.connected
        return asyncio.create_task(proxy.cut(ports[int(fault.draw * len(ports))], fault.lasts_s)) if ports else None
    processes = running.gateways() if fault.kind == "gateway" else running.replicas(fault.family)
    if not processes:
        return None
    victim = processes[int(fault.draw * len(processes))]
    with contextlib.suppress(psutil.NoSuchProcess):  # psutil looks at the start time too: never another's process
        victim.send_signal(signal.SIGSTOP if fault.kind == "pause" else signal.SIGKILL)
    return asyncio.create_task(_resume(victim, fault.lasts_s) if fault.kind == "pause" else asyncio.sleep(0))


async def _resume(process: psutil.Process, after_s: float) -> None:
    try:
        await asyncio.sleep(after_s)
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)
