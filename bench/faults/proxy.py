"""The network between gateways and replicas, as far as it can be cut: each replica's port has a stand-in here.

A gateway of the harness (`gateway.py`) asks the proxy for the stand-in of an address and connects to that. While a
stand-in is cut, what comes in on either side is kept, as a network does that loses packets and sends them again.
"""

import asyncio
import contextlib
from typing import Self

_CHUNK = 65536


class _StandIn:
    """One replica's port. `open` is unset while it is cut."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.open = asyncio.Event()
        self.open.set()
        self.connections = 0
        self.server: asyncio.Server | None = None

    async def start(self) -> int:
        self.server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        return int(self.server.sockets[0].getsockname()[1])

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self.open.wait()
            there, back = await asyncio.open_connection(self.host, self.port)
            ways = [asyncio.create_task(self._pump(reader, back)), asyncio.create_task(self._pump(there, writer))]
            _, pending = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in pending:
                way.cancel()
            back.close()
        except OSError:
            pass
        finally:
            self.connections -= 1
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self.open.wait()
                writer.write(data)
                await writer.drain()


class Proxy:
    """Use it in an `async with` statement. `port` is where gateways ask for stand-ins."""

    port = 0

    async def __aenter__(self) -> Self:
        self._stand_ins: dict[tuple[str, int], tuple[_StandIn, int]] = {}
        self._desk = await asyncio.start_server(self._tell, "127.0.0.1", 0)
        self.port = self._desk.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._desk.close()
        for stand_in, _ in self._stand_ins.values():
            if stand_in.server is not None:
                stand_in.server.close()

    @property
    def connected(self) -> list[tuple[str, int]]:
        """The replicas to which somebody is connected."""
        return sorted(address for address, (stand_in, _) in self._stand_ins.items() if stand_in.connections)

    async def cut(self, address: tuple[str, int], seconds: float) -> None:
        """Let nothing through to or from a replica for so long."""
        stand_in, _ = self._stand_ins[address]
        stand_in.open.clear()
        try:
            await asyncio.sleep(seconds)
        finally:
            stand_in.open.set()

    async def _tell(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A line "host port" is answered with the stand-in's port."""
        host, port = (await reader.readline()).decode().split()
        address = host, int(port)
        if address not in self._stand_ins:
            stand_in = _StandIn(*address)
            self._stand_ins[address] = stand_in, await stand_in.start()
        writer.write(f"{self._stand_ins[address][1]}\n".encode())
        await writer.drain()
        writer.close()


async def stand_in(proxy_port: int, host: str, port: int) -> int:
    """The stand-in's port for a replica."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy_port)
    writer.write(f"{host} {port}\n".encode())
    told = int(await reader.readline())
    writer.close()
    return told
