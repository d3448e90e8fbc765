"""A node and what runs on it, with small programs in the place of Ray and of a gateway."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from sextant.cli import node
from sextant.contract.errors import SextantError

# Listens like a Ray node until it is told to stop; writes down when that was.
_NODE = """
import pathlib, signal, socket, sys, time
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
def stop(*_):
    with open(sys.argv[2], "a") as log: log.write("node stopped\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
time.sleep(float(sys.argv[3]))
"""
_GATEWAY = """
import signal, sys, time
def stop(*_):
    time.sleep(0.3)
    with open(sys.argv[1], "a") as log: log.write("gateway drained\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
with open(sys.argv[1], "a") as log: log.write("gateway up\\n")
time.sleep(float(sys.argv[2]))
sys.exit(3)
"""


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = int(server.getsockname()[1])
    monkeypatch.setattr(node, "NODE_PORT", free)
    return free


def ray_node(port: int, log: Path, lives_s: float = 60) -> list[str]:
    return [sys.executable, "-c", _NODE, str(port), str(log), str(lives_s)]


def gateway(log: Path, lives_s: float = 60) -> list[str]:
    return [sys.executable, "-c", _GATEWAY, str(log), str(lives_s)]


def holds(log: Path, line: str) -> bool:
    return log.exists() and line in log.read_text()


async def written(log: Path, line: str) -> None:
    async with asyncio.timeout(30):
        while not holds(log, line):
            await asyncio.sleep(0.02)


async def test_told_to_stop_the_gateway_drains_before_its_node_goes(port, tmp_path):
    log = tmp_path / "log"
    running = asyncio.create_task(node._node_with(ray_node(port, log), "127.0.0.1", gateway(log)))
    await written(log, "gateway up")
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running == 0
    assert log.read_text().splitlines() == ["gateway up", "gateway drained", "node stopped"]


async def test_a_gateway_that_ends_takes_its_node_along_so_that_the_container_starts_anew(port, tmp_path):
    log = tmp_path / "log"
    assert await node._node_with(ray_node(port, log), "127.0.0.1", gateway(log, 0.1)) == 3
    assert log.read_text().splitlines()[-1] == "node stopped"


async def test_a_node_that_is_lost_ends_the_gateway_and_that_is_a_failure(port, tmp_path):
    log = tmp_path / "log"
    assert await node._node_with(ray_node(port, log, 1.0), "127.0.0.1", gateway(log)) == 1
    assert "gateway drained" in log.read_text()


async def test_a_node_that_does_not_come_up_is_said(port):
    with pytest.raises(SextantError, match="ended with code 7"):
        await node._node_with([sys.executable, "-c", "raise SystemExit(7)"], "127.0.0.1", ["true"])
