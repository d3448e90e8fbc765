"""The connection between gateways and replicas: who may have one, and what it carries."""

import asyncio
import pickle
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from sextant.replicas.link import Link, LinkLost, Stranger, reach, receive_caller

KEY = secrets.token_bytes(32)
Callers = asyncio.Queue[Link | Exception]


@asynccontextmanager
async def listening(key: bytes = KEY) -> AsyncIterator[tuple[int, Callers]]:
    """A port, and what became of each caller there."""
    callers: Callers = asyncio.Queue()

    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            callers.put_nowait(await receive_caller(reader, writer, key))
        except (LinkLost, Stranger) as error:
            callers.put_nowait(error)

    server = await asyncio.start_server(attend, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], callers
    finally:
        server.close()


class Trap:
    """What a stranger would like to have unpickled."""

    sprung = False

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return spring, ()


def spring() -> None:
    Trap.sprung = True


async def test_both_ends_that_know_the_key_hear_each_other_in_order():
    async with listening() as (port, callers):
        ours = await reach("127.0.0.1", port, KEY)
        theirs = await callers.get()
        assert isinstance(theirs, Link)
        for number in range(5):
            ours.send(number)
        assert await theirs.receive() == [0, 1, 2, 3, 4], "what is sent in one turn leaves together"
        theirs.send(b"x" * 5_000_000)
        theirs.send("small")
        assert [len(part) for part in await ours.receive()] == [5_000_000, 5]


async def test_a_caller_without_the_key_is_refused_and_nothing_of_it_is_unpickled():
    async with listening() as (port, callers):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.readexactly(32)
        frame = pickle.dumps([Trap()])
        writer.write(secrets.token_bytes(64) + len(frame).to_bytes(8) + frame)
        assert await reader.read() == b"", "it is hung up on"
        assert isinstance(await callers.get(), Stranger)
        writer.close()
    assert not Trap.sprung


async def test_a_caller_with_another_key_is_refused():
    async with listening() as (port, callers):
        with pytest.raises(LinkLost):
            await reach("127.0.0.1", port, secrets.token_bytes(32))
        assert isinstance(await callers.get(), Stranger)


@pytest.mark.parametrize("answer", ["random", "mirrored"])
async def test_a_gateway_does_not_listen_to_what_cannot_prove_that_it_is_the_replica(answer):
    """Not even where the gateway's own proof is sent back to it."""

    async def pretend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(secrets.token_bytes(32))
        proof = (await reader.readexactly(64))[32:]
        frame = pickle.dumps([Trap()])
        writer.write((proof if answer == "mirrored" else secrets.token_bytes(32)) + len(frame).to_bytes(8) + frame)

    server = await asyncio.start_server(pretend, "127.0.0.1", 0)
    with pytest.raises(Stranger):
        await reach("127.0.0.1", server.sockets[0].getsockname()[1], KEY)
    server.close()
    assert not Trap.sprung


async def test_a_proof_that_was_overheard_does_not_serve_a_second_time():
    async with listening() as (port, callers):
        heard: list[bytes] = []

        async def overhear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, back = await asyncio.open_connection("127.0.0.1", port)
            writer.write(await there.readexactly(32))
            heard.append(await reader.readexactly(64))
            back.write(heard[0])
            writer.write(await there.readexactly(32))

        between = await asyncio.start_server(overhear, "127.0.0.1", 0)
        await reach("127.0.0.1", between.sockets[0].getsockname()[1], KEY)
        assert isinstance(await callers.get(), Link)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(heard[0])
        assert isinstance(await callers.get(), Stranger)
        writer.close()
        between.close()
        del reader


@pytest.mark.parametrize(
    "leave",
    [lambda link: link.close(), lambda link: link._writer.transport.abort(), lambda link: link._writer.write(b"\0\0")],
    ids=["closed", "aborted", "broken off in a frame"],
)
async def test_a_peer_that_goes_is_noticed(leave: Callable[[Link], Awaitable[None] | None]):
    async with listening() as (port, callers):
        ours = await reach("127.0.0.1", port, KEY)
        theirs = await callers.get()
        assert isinstance(theirs, Link)
        leave(theirs)
        theirs.close()
        with pytest.raises(LinkLost):
            await ours.receive()
        ours.send("to no one")  # and nothing is raised
        ours.close()


async def test_a_port_where_nobody_listens_is_a_lost_link():
    async with listening() as (port, _):
        pass
    with pytest.raises(LinkLost):
        await reach("127.0.0.1", port, KEY)
