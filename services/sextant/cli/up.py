"""`sextant up` and `sextant down`: the whole platform on this machine."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console

from sextant.bundles.catalogue import catalogue
from sextant.bundles.store import BundleStore, cache_directory
from sextant.cli.progress_bars import ProgressBars
from sextant.cli.run_state import RunState, read_state, remove_state, state_directory
from sextant.cli.terminal import AsJson, print_json
from sextant.contract.errors import SextantError
from sextant.families.importing import pull
from sextant.replicas.config import ClusterConfig

_START_TIMEOUT_S = 180.0
_STOP_TIMEOUT_S = 60.0


def up(
    detach: Annotated[bool, typer.Option("--detach", help="Return when it serves; it runs on.")] = False,
    gateways: Annotated[int, typer.Option(min=1, max=64, help="Gateway processes, all on one port.")] = 1,
    port: Annotated[int, typer.Option(min=1, max=65535, help="The gRPC port.")] = 50051,
    metrics_port: Annotated[int, typer.Option(min=1, max=65535, help="Metrics of the first gateway.")] = 9464,
    host: Annotated[str, typer.Option(help="The interface to listen on.")] = "127.0.0.1",
    config: Annotated[Path | None, typer.Option(help="What runs where; see deploy/cluster.yaml.")] = None,
    pull_models: Annotated[bool, typer.Option("--pull/--no-pull", help="Pull models that are not here yet.")] = True,
) -> None:
    """Start Ray, the replicas and the gateways. Ctrl-C (or `sextant down`) stops them, running requests first."""
    running = read_state()
    if running is not None:
        print(f"already running at {running.target} (process {running.pid})")
        return
    cluster = ClusterConfig.load(config)
    if pull_models:
        _pull_missing(cluster)
    if detach:
        _detach(sys.argv[1:])
        return
    from sextant.cli.supervisor import Supervisor

    supervisor = Supervisor(cluster, host=host, port=port, metrics_port=metrics_port, gateways=gateways)
    asyncio.run(supervisor.run())


def down(as_json: AsJson = False) -> None:
    """Stop the platform that `sextant up` started; running requests may finish first."""
    state = read_state()
    process = state.process() if state else None
    if state is None or process is None:
        remove_state()
        _tell("nothing is running", as_json, stopped=False)
        return
    children = process.children(recursive=True)
    process.terminate()
    try:
        process.wait(_STOP_TIMEOUT_S)
    except psutil.TimeoutExpired:
        for survivor in [process, *children]:
            try:
                survivor.kill()
            except psutil.NoSuchProcess:
                continue
    # What Ray started has its own sessions; it ends with its head, but let us not leave before it has.
    _, alive = psutil.wait_procs(children, timeout=10.0)
    for survivor in alive:
        survivor.kill()
    remove_state()
    _tell(f"stopped {state.target}", as_json, stopped=True)


def _tell(message: str, as_json: bool, *, stopped: bool) -> None:
    if as_json:
        print_json({"stopped": stopped, "message": message})
    else:
        print(message)


def _pull_missing(cluster: ClusterConfig) -> None:
    store = BundleStore([*cluster.bundle_directories, *BundleStore.default().directories])
    wanted = [name for family in cluster.families.values() for name in family.models]
    missing = [name for name in wanted if name not in store.names() and name in catalogue()]
    for name in missing:
        print(f"pulling {name} (once; it is kept in {cache_directory()})", file=sys.stderr)
        with ProgressBars() as progress:
            pull(name, cache_directory(), progress)


def _detach(arguments: list[str]) -> None:
    """Start the same command in a session of its own, and return when it serves."""
    directory = state_directory()
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = directory / "up.log"
    command = [sys.executable, "-m", "sextant", *(word for word in arguments if word != "--detach"), "--no-pull"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, env=os.environ
        )
    with Console(stderr=True).status("starting"):
        end = time.monotonic() + _START_TIMEOUT_S
        while (state := read_state()) is None:
            if process.poll() is not None:
                raise SextantError(f"the platform did not start:\n{log.read_text(errors='replace')[-2000:].strip()}")
            if time.monotonic() > end:
                process.terminate()
                raise SextantError(f"the platform did not start within {_START_TIMEOUT_S:.0f} s; see {log}")
            time.sleep(0.1)
    _summary(state)


def _summary(state: RunState) -> None:
    print(f"serving at {state.target}")
    for url in state.metrics:
        print(f"metrics at {url}")
    print(f"logs in {state.log_directory}; `sextant down` stops it")
