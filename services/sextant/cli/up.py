"""`sextant up` and `sextant down`: the whole platform on this machine."""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sextant.bundles.catalogue import catalogue
from sextant.bundles.store import BundleStore, cache_directory
from sextant.cli.listening import check_free, is_ready, metrics_addresses
from sextant.cli.progress_bars import ProgressBars
from sextant.cli.run_state import RunState, last_state, read_state, remove_state, state_directory
from sextant.cli.stopping import stop
from sextant.cli.terminal import AsJson, print_json
from sextant.contract.errors import SextantError
from sextant.families.importing import pull
from sextant.replicas.config import ClusterConfig

_START_TIMEOUT_S = 180.0
_LOG_TAIL = 2000


def up(
    detach: Annotated[bool, typer.Option("--detach", help="Return when it serves; it runs on.")] = False,
    gateways: Annotated[int, typer.Option(min=1, max=64, help="Gateway processes, all on one port.")] = 1,
    port: Annotated[int, typer.Option(min=1, max=65535, help="The gRPC port.")] = 50051,
    metrics_port: Annotated[int, typer.Option(min=1, max=65535, help="Metrics of the first gateway.")] = 9464,
    host: Annotated[str, typer.Option(help="The interface to listen on.")] = "127.0.0.1",
    config: Annotated[Path | None, typer.Option(help="What runs where; see deploy/cluster.yaml.")] = None,
    pull_models: Annotated[bool, typer.Option("--pull/--no-pull", help="Pull models that are not here yet.")] = True,
) -> None:
    """Start Ray, the replicas and the gateways. Ctrl-C (or `sextant down`) stops them, running requests first.

    Where one runs here already, say so; exit code 0 if it serves.
    """
    running = read_state()
    if running is not None:
        _tell_of(running)
        return
    cluster = ClusterConfig.load(config)
    listen, metrics = f"{host}:{port}", metrics_addresses(host, metrics_port, gateways)
    check_free((listen, *metrics))
    if pull_models:
        _pull_missing(cluster)
    if detach:
        place = ["--gateways", str(gateways), "--port", str(port), "--metrics-port", str(metrics_port), "--host", host]
        _detach([*place, *(["--config", str(config)] if config else [])])
        return
    from sextant.cli.supervisor import Supervisor  # brings Ray, which no other command needs

    asyncio.run(Supervisor(cluster, listen=listen, metrics=metrics).run())


def down(as_json: AsJson = False) -> None:
    """Stop the platform that `sextant up` started; running requests may finish first."""
    state = last_state()
    if state is None:
        _tell("nothing is running", as_json, stopped=False)
        return
    outcome = stop(state)
    remove_state()
    _tell(outcome.message, as_json, stopped=outcome.stopped)


def _tell(message: str, as_json: bool, *, stopped: bool) -> None:
    if as_json:
        print_json({"stopped": stopped, "message": message})
    else:
        print(message)


def _tell_of(running: RunState) -> None:
    """Say that one runs already. Exit code 1 where it does not serve."""
    serves = running.serving and all(is_ready(url) for url in running.metrics)
    doing = "running" if serves else "running, but not serving," if running.serving else "starting"
    print(f"already {doing} at {running.target} (process {running.pid})")
    if not serves:
        raise typer.Exit(1)


def _pull_missing(cluster: ClusterConfig) -> None:
    store = BundleStore([*cluster.bundle_directories, *BundleStore.default().directories])
    wanted = [name for family in cluster.families.values() for name in family.models]
    missing = [name for name in wanted if name not in store.names() and name in catalogue()]
    for name in missing:
        print(f"pulling {name} (once; it is kept in {cache_directory()})", file=sys.stderr)
        with ProgressBars() as progress:
            pull(name, cache_directory(), progress)


def _detach(arguments: list[str]) -> None:
    """Start `sextant up` in a session of its own, and return when it serves."""
    directory = state_directory()
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = directory / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "sextant", "up", "--no-pull", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        with Console(stderr=True).status("starting"):
            state = _until_serving(process, log)
    except BaseException:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)  # while it starts, it heeds this one
        raise
    print(f"serving at {state.target}")
    for url in state.metrics:
        print(f"metrics at {url}")
    print(f"logs in {state.log_directory}; `sextant down` stops it")


def _until_serving(process: "subprocess.Popen[bytes]", log: Path) -> RunState:
    end = time.monotonic() + _START_TIMEOUT_S
    while (state := read_state()) is None or state.pid != process.pid or not state.serving:
        if process.poll() is not None:
            raise SextantError(f"the platform did not start:\n{log.read_text(errors='replace')[-_LOG_TAIL:].strip()}")
        if time.monotonic() > end:
            raise SextantError(f"the platform did not start within {_START_TIMEOUT_S:.0f} s; see {log}")
        time.sleep(0.1)
    return state
