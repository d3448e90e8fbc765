"""What `sextant up` holds together, with stand-ins for Ray and for the gateways; tests/e2e has the real ones."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sextant.cli import supervisor
from sextant.cli.run_state import RunState, last_state, only_one, read_state
from sextant.cli.supervisor import Supervisor
from sextant.contract.errors import SextantError
from sextant.replicas.config import ClusterConfig
from tests.conftest import free_port

STAND_IN = Path(__file__).with_name("stand_in_gateway.py")


class StandInCluster:
    """Does to signals what starting Ray does to them, and remembers whether it was stopped."""

    ray_address = "127.0.0.1:6379"
    stopped = 0
    killed = False

    @classmethod
    async def start(cls, config: ClusterConfig) -> "StandInCluster":
        cls.stopped, cls.killed = 0, False
        signal.signal(signal.SIGTERM, cls._kill_everything)
        return cls()

    @classmethod
    def _kill_everything(cls, number: int, frame: object) -> None:
        cls.killed = True

    async def stop(self) -> None:
        StandInCluster.stopped += 1


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SEXTANT_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(supervisor, "Cluster", StandInCluster)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield tmp_path
    for number, handler in before.items():
        signal.signal(number, handler)


def supervise(place: Path, gateways: int = 1) -> Supervisor:
    return Supervisor(
        ClusterConfig(),
        listen=f"127.0.0.1:{free_port()}",
        metrics=[f"127.0.0.1:{free_port()}" for _ in range(gateways)],
        gateway_command=(sys.executable, str(STAND_IN), str(place)),
    )


async def until(condition) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.05)


@asynccontextmanager
async def running(place: Path, gateways: int = 1) -> AsyncIterator[RunState]:
    task = asyncio.create_task(supervise(place, gateways).run())
    await until(lambda: task.done() or ((state := read_state()) is not None and state.serving))
    if task.done():
        task.result()
    state = read_state()
    assert state is not None
    yield state
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(task, 20)


def files(place: Path, kind: str) -> set[str]:
    return {path.name.removeprefix(f"{kind}-") for path in place.glob(f"{kind}-*")}


async def test_sigterm_stops_gateways_then_the_cluster_in_good_order(place, capsys):
    async with running(place, gateways=2) as state:
        assert {str(gateway.pid) for gateway in state.gateways} == files(place, "started")
        assert state.target in capsys.readouterr().out
    assert files(place, "stopped") == files(place, "started")
    assert len(files(place, "stopped")) == 2
    assert StandInCluster.stopped == 1
    assert not StandInCluster.killed
    assert last_state() is None


async def test_a_gateway_that_dies_is_started_again_and_the_state_names_the_new_one(place):
    async with running(place) as state:
        (first,) = state.gateways
        os.kill(first.pid, signal.SIGKILL)
        await until(lambda: len(files(place, "started")) == 2)
        (second,) = read_state().gateways
        assert {str(first.pid), str(second.pid)} == files(place, "started")
    assert files(place, "stopped") == {str(second.pid)}


async def test_a_gateway_that_cannot_start_ends_it_all_at_once_with_its_log(place):
    (place / "broken").touch()
    with pytest.raises(SextantError, match=r"gateway 0 ended with code 1:\nthe guide is broken"):
        async with running(place):
            pass
    assert StandInCluster.stopped == 1
    assert last_state() is None


async def test_a_cluster_that_cannot_start_leaves_no_state(place, monkeypatch):
    async def fail(config):
        assert read_state().serving is False
        raise SextantError("family gan did not start")

    monkeypatch.setattr(StandInCluster, "start", fail)
    with pytest.raises(SextantError, match="family gan"):
        await supervise(place).run()
    assert last_state() is None


async def test_ctrl_c_while_the_cluster_starts_is_heeded_at_once(place, monkeypatch):
    async def start_for_long(config):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            await asyncio.sleep(0.01)

    monkeypatch.setattr(StandInCluster, "start", start_for_long)
    with pytest.raises(KeyboardInterrupt):
        await supervise(place).run()
    assert last_state() is None


async def test_two_platforms_are_never_started_from_one_place(place):
    with only_one(), pytest.raises(SextantError, match="another `sextant up`"):
        await supervise(place).run()
    async with running(place):
        pass


async def test_a_wrong_setting_of_the_gateways_is_told_before_anything_starts(place, monkeypatch):
    monkeypatch.setenv("SEXTANT_DRAIN_SECONDS", "soon")
    with pytest.raises(SextantError, match="SEXTANT_DRAIN_SECONDS"):
        await supervise(place).run()
