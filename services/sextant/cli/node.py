"""`sextant node`: a container's or machine's part in a cluster: a Ray node, and what runs on it."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from sextant.contract.errors import SextantError
from sextant.replicas.environment import set_ray_environment
from sextant.replicas.nodes import NODE_PORT, RAY_PORT, head_command, member_command, own_address, resolved

_HEAD_WAIT_S = 300.0
_NODE_WAIT_S = 300.0  # a crowded machine needs minutes; starting over makes it more crowded
_NODE_STOP_S = 20.0

app = typer.Typer(help="Run this container's or machine's part in a cluster, until it is told to stop.")
Address = Annotated[str, typer.Option(envvar="SEXTANT_RAY_ADDRESS", help="The cluster's head, host:port.")]


@app.command()
def head(
    config: Annotated[Path | None, typer.Option(help="What runs where; see deploy/cluster.yaml.")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the other nodes find it.")] = RAY_PORT,
) -> None:
    """The first node: holds the cluster's state, and keeps as many replicas of each family as there is room for."""
    own = socket.gethostbyname(socket.gethostname())
    keeper = [sys.executable, "-m", "sextant", "deploy", "--keep", "--by-room", "--address", f"{own}:{port}"]
    _run_on_node(head_command(port, own), own, [*keeper, *(["--config", str(config)] if config else [])])


@app.command()
def worker(
    address: Address,
    family: Annotated[list[str], typer.Option(help="A family that may run here; give several for more.")],
    replicas: Annotated[int, typer.Option(min=1, help="Room for so many replicas of each.")] = 1,
    num_cpus: Annotated[int, typer.Option(min=0, help="Ray's logical CPUs.")] = 1,
    num_gpus: Annotated[int, typer.Option(min=0, help="The GPUs that are here.")] = 0,
) -> None:
    """A node with room for replicas."""
    set_ray_environment()
    _wait_for(address, _HEAD_WAIT_S)
    command = member_command(address, families=family, replicas=replicas, num_cpus=num_cpus, num_gpus=num_gpus)
    os.execvp(command[0], command)


@app.command()
def gateway(address: Address) -> None:
    """A node with a gateway on it, which takes its settings from the environment."""
    _wait_for(address, _HEAD_WAIT_S)
    os.environ["SEXTANT_RAY_ADDRESS"] = resolved(address)
    _run_on_node(member_command(address), own_address(address), [sys.executable, "-m", "sextant.gateway"])


def _run_on_node(node: Sequence[str], host: str, command: Sequence[str]) -> None:
    set_ray_environment()
    code = asyncio.run(_node_with(node, host, command))
    if code:
        raise typer.Exit(code)


async def _node_with(node_command: Sequence[str], host: str, command: Sequence[str]) -> int:
    """Run a node and, once it is up, `command` on it; when told to stop, or when one ends, end the command first.

    The exit code is that of the command; 1 where the node ended first.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    node = await asyncio.create_subprocess_exec(*node_command)
    process: asyncio.subprocess.Process | None = None
    try:
        await _until_up(node, host, stopping)
        if stopping.is_set():
            return 0
        process = await asyncio.create_subprocess_exec(*command)
        ends = [asyncio.create_task(what) for what in (stopping.wait(), process.wait(), node.wait())]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        if process.returncode is None:
            process.terminate()  # drains: the container's own patience is the limit
        code = await process.wait()
        return code if stopping.is_set() else code or 1
    finally:
        await _stop(node)


async def _until_up(node: asyncio.subprocess.Process, host: str, stopping: asyncio.Event) -> None:
    end = time.monotonic() + _NODE_WAIT_S
    while not stopping.is_set() and not await asyncio.to_thread(_answers, host, NODE_PORT):
        if node.returncode is not None:
            raise SextantError(f"the Ray node ended with code {node.returncode}")
        if time.monotonic() > end:
            raise SextantError(f"the Ray node was not up within {_NODE_WAIT_S:.0f} s")
        await asyncio.sleep(0.2)


async def _stop(node: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        node.terminate()
        try:
            await asyncio.wait_for(node.wait(), _NODE_STOP_S)
        except TimeoutError:
            node.kill()


def _wait_for(address: str, timeout_s: float) -> None:
    """Until something answers at `address`; its name need not be known yet."""
    host, _, port = address.rpartition(":")
    end = time.monotonic() + timeout_s
    while not _answers(host, int(port)):
        if time.monotonic() > end:
            raise SextantError(f"nothing answers at {address}")
        time.sleep(0.5)


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=2.0):
            return True
    except OSError:
        return False
