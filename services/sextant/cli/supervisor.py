"""The process behind `sextant up`: holds the cluster, keeps the gateways alive, takes all down in order."""

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from pathlib import Path

import psutil

from sextant.cli.run_state import RunState, remove_state, state_directory, write_state
from sextant.client import AsyncClient
from sextant.client.errors import ClientError
from sextant.contract.errors import SextantError
from sextant.replicas.cluster import Cluster
from sextant.replicas.config import ClusterConfig

log = logging.getLogger(__name__)

_GATEWAY_START_S = 60.0
_GATEWAY_STOP_S = 45.0
_LONGEST_BACKOFF_S = 30.0
_STEADY_S = 30.0  # a gateway that ran this long starts again at once


class Supervisor:
    """One platform on this machine. `run` returns when it was told to stop and everything is down."""

    def __init__(self, config: ClusterConfig, *, host: str, port: int, metrics_port: int, gateways: int) -> None:
        self._config = config
        self._listen = f"{host}:{port}"
        self._metrics = [f"{host}:{metrics_port + index}" for index in range(gateways)]
        self._logs = state_directory() / "logs"
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Start everything, serve until SIGINT or SIGTERM, stop everything. Raises `SextantError` if it cannot."""
        for address in (self._listen, *self._metrics):
            _check_free(address)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopping.set)
        self._logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        cluster = await Cluster.start(self._config)
        keepers: list[asyncio.Task[None]] = []
        try:
            for index in range(len(self._metrics)):
                await self._spawn(index, cluster.ray_address)
                keepers.append(asyncio.create_task(self._keep(index, cluster.ray_address)))
            await self._wait_until_serving()
            if not self._stopping.is_set():
                self._publish(cluster)
            await self._stopping.wait()
        finally:
            self._stopping.set()
            remove_state()
            await self._stop_gateways()
            await asyncio.gather(*keepers)
            await cluster.stop()

    async def _spawn(self, index: int, ray_address: str) -> None:
        environment = {
            **os.environ,
            "SEXTANT_RAY_ADDRESS": ray_address,
            "SEXTANT_LISTEN": self._listen,
            "SEXTANT_METRICS_LISTEN": self._metrics[index],
        }
        with self._log(index).open("ab") as output:
            # A session of its own: a Ctrl-C in the terminal must reach the supervisor only, which then drains.
            self._processes[index] = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "sextant.gateway",
                env=environment, stdout=output, stderr=output, stdin=asyncio.subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    async def _keep(self, index: int, ray_address: str) -> None:
        """Start a gateway again when it ends by itself, ever more slowly if it keeps ending."""
        backoff = 0.0
        while True:
            started = time.monotonic()
            await self._processes[index].wait()
            if self._stopping.is_set():
                return
            steady = time.monotonic() - started > _STEADY_S
            backoff = 0.0 if steady else min(_LONGEST_BACKOFF_S, 2 * backoff + 0.5)
            log.warning("gateway %d ended; again in %.1f s", index, backoff)
            try:
                await asyncio.wait_for(self._stopping.wait(), backoff)
                return
            except TimeoutError:
                await self._spawn(index, ray_address)

    async def _wait_until_serving(self) -> None:
        end = time.monotonic() + _GATEWAY_START_S
        async with AsyncClient(_reachable(self._listen)) as client:
            while not self._stopping.is_set():
                try:
                    if await client.serving(timeout=2.0):
                        return
                except ClientError:
                    pass
                if time.monotonic() > end:
                    tail = self._log(0).read_text(errors="replace")[-2000:].strip()
                    raise SextantError(f"no gateway serves on {self._listen}:\n{tail}")
                await asyncio.sleep(0.1)

    def _publish(self, cluster: Cluster) -> None:
        """Tell the other commands, and whoever looks at this terminal."""
        me = psutil.Process()
        state = RunState(
            pid=me.pid,
            started=me.create_time(),
            target=_reachable(self._listen),
            metrics=tuple(f"http://{address}/metrics" for address in self._metrics),
            gateway_pids=tuple(process.pid for process in self._processes.values()),
            ray_address=cluster.ray_address,
            log_directory=self._logs,
        )
        write_state(state)
        models = [name for family in self._config.families.values() for name in family.models]
        print(f"serving {', '.join(models)} at {state.target}")
        for url in state.metrics:
            print(f"metrics at {url}")
        print("Ctrl-C stops everything", flush=True)

    async def _stop_gateways(self) -> None:
        for process in self._processes.values():
            if process.returncode is None:
                process.terminate()
        for process in self._processes.values():
            try:
                await asyncio.wait_for(process.wait(), _GATEWAY_STOP_S)
            except TimeoutError:
                process.kill()

    def _log(self, index: int) -> Path:
        return self._logs / f"gateway-{index}.log"


def _check_free(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_server((host, int(port))):
            pass
    except OSError as error:
        raise SextantError(f"cannot listen on {address}: {error.strerror}") from error


def _reachable(listen: str) -> str:
    """Where a client on this machine finds what listens on `listen`."""
    host, _, port = listen.rpartition(":")
    return f"127.0.0.1:{port}" if host in ("0.0.0.0", "[::]") else listen
