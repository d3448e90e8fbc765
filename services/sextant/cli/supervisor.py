"""The process behind `sextant up`: holds the cluster, keeps the gateways alive, takes all down in order."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from sextant.cli.listening import check_free, is_ready, reachable
from sextant.cli.run_state import Owned, RunState, only_one, remove_state, state_directory, write_state
from sextant.contract.errors import SextantError
from sextant.gateway.config import GatewayConfig
from sextant.replicas.cluster import Cluster
from sextant.replicas.config import ClusterConfig

log = logging.getLogger(__name__)

_GATEWAY_START_S = 60.0
_GATEWAY_STOP_S = 15.0  # beyond what it gives running calls
_CLUSTER_STOP_S = 45.0
_LONGEST_BACKOFF_S = 30.0
_STEADY_S = 30.0  # a gateway that ran this long starts again at once
_LOG_TAIL = 2000


class Supervisor:
    """One platform on this machine. `run` returns when it was told to stop and everything is down."""

    def __init__(
        self,
        config: ClusterConfig,
        *,
        listen: str,
        metrics: Sequence[str],
        gateway_command: Sequence[str] = (sys.executable, "-m", "sextant.gateway"),
    ) -> None:
        self._config = config
        self._listen, self._metrics = listen, tuple(metrics)
        self._command = gateway_command
        self._logs = state_directory() / "logs"
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._ray_address = ""
        self._serving = False
        self._stopping = asyncio.Event()
        self._drain_s = 0.0

    async def run(self) -> None:
        """Start everything, serve until SIGINT or SIGTERM, stop everything. Raises `SextantError` if it cannot."""
        self._drain_s = GatewayConfig.from_environment({**os.environ, **self._environment(0)}).drain_seconds
        with only_one():
            check_free((self._listen, *self._metrics))
            self._logs.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                self._publish()
                # Starting the cluster blocks this thread: Ctrl-C must reach it as an exception.
                signal.signal(signal.SIGINT, signal.default_int_handler)
                cluster = await Cluster.start(self._config)
                try:
                    self._ray_address = cluster.ray_address
                    self._heed_signals()
                    await self._serve()
                finally:
                    await cluster.stop()
            finally:
                remove_state()

    def _heed_signals(self) -> None:
        """From now on both signals mean the orderly way down.

        Only now: starting Ray puts its own handler of SIGTERM in place, which kills every replica at once.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopping.set)

    async def _serve(self) -> None:
        keepers = [asyncio.create_task(self._keep(index)) for index in range(len(self._metrics))]
        try:
            await self._wait_until_serving(keepers)
            if not self._stopping.is_set():
                self._serving = True
                self._publish()
                self._announce()
            await self._stopping.wait()
        finally:
            self._stopping.set()
            await asyncio.gather(*keepers, return_exceptions=True)

    async def _keep(self, index: int) -> None:
        """Run a gateway until told to stop; again when it ends by itself, ever more slowly if it keeps ending."""
        backoff = 0.0
        while not self._stopping.is_set():
            process = await self._spawn(index)
            began = time.monotonic()
            ended = asyncio.ensure_future(process.wait())
            told = asyncio.ensure_future(self._stopping.wait())
            await asyncio.wait((ended, told), return_when=asyncio.FIRST_COMPLETED)
            told.cancel()
            if not ended.done():
                await self._stop(process)
                return
            if self._stopping.is_set():
                return
            if not self._serving:
                raise SextantError(f"gateway {index} ended with code {process.returncode}:\n{self._tail(index)}")
            backoff = 0.0 if time.monotonic() - began > _STEADY_S else min(_LONGEST_BACKOFF_S, 2 * backoff + 0.5)
            log.warning("gateway %d ended with code %s; again in %.1f s", index, process.returncode, backoff)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), backoff)

    async def _spawn(self, index: int) -> asyncio.subprocess.Process:
        # The log of this run alone: what is shown of a failed start must not be an older one's.
        with self._log(index).open("ab" if index in self._processes else "wb") as output:
            # A session of its own: a Ctrl-C in the terminal must reach the supervisor only, which then drains.
            process = await asyncio.create_subprocess_exec(
                *self._command,
                env={**os.environ, **self._environment(index)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._processes[index] = process
        self._publish()
        return process

    async def _stop(self, process: asyncio.subprocess.Process) -> None:
        """Let a gateway drain; kill it if it takes longer than it said."""
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self._drain_s + _GATEWAY_STOP_S)
        except TimeoutError:
            log.warning("gateway process %d did not stop and is killed", process.pid)
            process.kill()

    async def _wait_until_serving(self, keepers: Sequence[asyncio.Task[None]]) -> None:
        """Until every gateway is ready. Raises `SextantError` where one ended, or took too long."""
        end = time.monotonic() + _GATEWAY_START_S
        waiting = list(range(len(self._metrics)))
        while waiting and not self._stopping.is_set():
            for keeper in keepers:
                if keeper.done():
                    keeper.result()
            index = waiting[0]
            if await asyncio.to_thread(is_ready, self._metrics_url(index)):
                waiting.pop(0)
                continue
            if time.monotonic() > end:
                seconds = f"{_GATEWAY_START_S:.0f} s"
                raise SextantError(f"gateway {index} was not ready within {seconds}:\n{self._tail(index)}")
            await asyncio.sleep(0.1)

    def _publish(self) -> None:
        """Tell the other commands how things stand."""
        gateways = [process.pid for process in self._processes.values()]
        children = [process.pid for process in psutil.Process().children(recursive=True)]
        me = Owned.of(os.getpid())
        state = RunState(
            pid=me.pid,
            started=me.started,
            serving=self._serving,
            target=reachable(self._listen),
            metrics=tuple(self._metrics_url(index) for index in range(len(self._metrics))),
            gateways=_owned(gateways),
            children=_owned(children),
            ray_address=self._ray_address,
            log_directory=self._logs,
            stop_within_s=self._drain_s + _GATEWAY_STOP_S + _CLUSTER_STOP_S,
        )
        write_state(state)

    def _announce(self) -> None:
        """Tell whoever looks at this terminal."""
        models = [name for family in self._config.families.values() for name in family.models]
        print(f"serving {', '.join(models)} at {reachable(self._listen)}")
        for index in range(len(self._metrics)):
            print(f"metrics at {self._metrics_url(index)}")
        print("Ctrl-C stops everything", flush=True)

    def _environment(self, index: int) -> dict[str, str]:
        directories = (str(directory.absolute()) for directory in self._config.bundle_directories)
        return {
            "SEXTANT_RAY_ADDRESS": self._ray_address,
            "SEXTANT_LISTEN": self._listen,
            "SEXTANT_METRICS_LISTEN": self._metrics[index],
            "SEXTANT_HYBRIDS": ",".join(self._config.distributed_hybrids),
            "SEXTANT_BUNDLE_PATH": os.pathsep.join(filter(None, (*directories, os.environ.get("SEXTANT_BUNDLE_PATH")))),
        }

    def _metrics_url(self, index: int) -> str:
        return f"http://{reachable(self._metrics[index])}/metrics"

    def _log(self, index: int) -> Path:
        return self._logs / f"gateway-{index}.log"

    def _tail(self, index: int) -> str:
        return self._log(index).read_text(errors="replace")[-_LOG_TAIL:].strip()


def _owned(pids: Sequence[int]) -> tuple[Owned, ...]:
    """Those of the processes that have not ended meanwhile."""
    found = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(Owned.of(pid))
    return tuple(found)
