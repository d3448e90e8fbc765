"""The faults harness: what it plans, and a short run of it on a real platform."""

import asyncio

import pytest

from bench import faults
from bench.faults.plan import KINDS, plan
from bench.faults.proxy import Proxy, stand_in


def test_a_plan_is_the_same_from_the_same_seed_and_another_from_another():
    first, again, other = (plan(seed, 120, 10, KINDS, ("gan", "vae", "hybrid")) for seed in (1, 1, 2))
    assert first == again != other


def test_a_plan_keeps_its_pace_takes_the_kinds_in_turn_and_hits_only_families_with_replicas():
    found = plan(3, 100, 10, ("kill", "pause"), ("gan", "vae", "hybrid"))
    assert [fault.at_s for fault in found] == [5, 15, 25, 35, 45, 55, 65, 75, 85]
    assert [fault.kind for fault in found[:4]] == ["kill", "pause", "kill", "pause"]
    assert {fault.family for fault in found} <= {"gan", "vae"}
    assert all(0 < fault.lasts_s <= 20 for fault in found if fault.kind == "pause"), "a pause ends"


def test_an_unknown_fault_is_refused():
    with pytest.raises(ValueError, match="earthquake"):
        plan(1, 60, 10, ("earthquake",), ("gan",))


async def test_a_partition_lets_nothing_through_and_loses_nothing():
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Proxy() as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", await stand_in(proxy.port, "127.0.0.1", port))
        writer.write(b"before")
        assert await reader.readexactly(6) == b"before"
        assert proxy.connected == [("127.0.0.1", port)]
        cut = asyncio.create_task(proxy.cut(("127.0.0.1", port), 0.5))
        await asyncio.sleep(0.05)
        writer.write(b"meanwhile")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.3)
        await cut
        assert await reader.readexactly(9) == b"meanwhile"
        writer.close()
    server.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kinds", [("kill",), ("pause", "partition", "gateway")], ids="+".join)
def test_no_answer_is_lost_wrong_or_given_twice_whatever_happens_to_replicas(kinds):
    found = faults.measure(seconds=45, kill_every=8, faults=kinds, families=("gan", "vae", "diffusion", "hybrid"))
    for phase in ("without", "with"):
        bad = {name: found[phase][name] for name in ("lost", "wrong", "duplicated") if found[phase][name]}
        assert not bad, (phase, bad, found["examples"])
        assert found[phase]["requests"] > 20
    assert sum(found["faults"].values()) >= 4
