"""The platform that the harness starts, wrecks and takes down."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from bench.faults.proxy import Proxy
from bench.faults.questions import MODELS
from bench.platform import SOURCES, free_port, wait_until_serving

_COPIES = 2
_GATEWAYS = 2


@dataclass(frozen=True)
class Site:
    """A platform of our own: two gateways on one port, `copies` replicas of each of `families`."""

    target: str
    supervisor: psutil.Process
    families: Sequence[str]
    copies: int = _COPIES

    def replicas(self, family: str) -> list[psutil.Process]:
        """The replica processes of a family, in order of their ids."""
        return self._children(f"ServeReplica:sextant-{family}:")

    def gateways(self) -> list[psutil.Process]:
        """The gateway processes."""
        return [*self._children("sextant.gateway"), *self._children("bench.faults.gateway")]

    def _children(self, marker: str) -> list[psutil.Process]:
        found = []
        for process in self.supervisor.children(recursive=True):
            try:
                if marker in " ".join(process.cmdline()):
                    found.append(process)
            except psutil.Error:
                continue
        return sorted(found, key=lambda process: process.pid)


@asynccontextmanager
async def site(families: Sequence[str], proxy: Proxy | None) -> AsyncIterator[Site]:
    """Run a platform with two replicas of each family, its links through `proxy` if there is one."""
    with tempfile.TemporaryDirectory() as home:
        target, process = _start(families, proxy, Path(home))
        try:
            await asyncio.to_thread(wait_until_serving, target, process, Path(home) / "up.log")
            yield Site(target, psutil.Process(process.pid), [family for family in families if family != "hybrid"])
        finally:
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(process.wait, 120)


def _start(families: Sequence[str], proxy: Proxy | None, home: Path) -> tuple[str, "subprocess.Popen[bytes]"]:
    """Where it will listen, and its supervisor."""
    config = home / "cluster.yaml"
    config.write_text(yaml.safe_dump({"families": _families(families)}))
    port, metrics = free_port(), _run_of_ports(_GATEWAYS)
    # Warnings only: thousands of lines a minute would be part of what is measured.
    environment = {**os.environ, "PYTHONPATH": SOURCES, "SEXTANT_STATE_DIR": str(home), "SEXTANT_LOG_LEVEL": "WARNING"}
    if proxy is None:
        command = [sys.executable, "-m", "sextant", "up", "--config", str(config), "--port", str(port)]
        command += ["--gateways", str(_GATEWAYS), "--metrics-port", str(metrics)]
    else:
        environment["FAULTS_PROXY_PORT"] = str(proxy.port)
        command = [sys.executable, "-m", "bench.faults.supervisor", str(config), f"127.0.0.1:{port}"]
        command += [f"127.0.0.1:{metrics + number}" for number in range(_GATEWAYS)]
    with (home / "up.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    return f"127.0.0.1:{port}", process


def _families(families: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for family in families:
        found[family] = {"models": list(MODELS[family])}
        if family != "hybrid":
            found[family] |= {"replicas": _COPIES, "num_cpus": 0, "intra_op_threads": 1}
    return found


def _run_of_ports(count: int) -> int:
    """The first of so many free ports in a row."""
    while True:
        first = free_port()
        if first + count < 65536 and not any(_taken(first + at) for at in range(1, count)):
            return first


def _taken(port: int) -> bool:
    return any(c.laddr and c.laddr.port == port for c in psutil.net_connections(kind="tcp"))
