"""A dispatcher whose answers a test writes itself, and a gateway over it."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence, Set
from contextlib import asynccontextmanager

import grpc

from sextant.contract.events import Event
from sextant.contract.tasks import Request
from sextant.gateway.dispatch import StreamStats
from sextant.gateway.server import Gateway
from sextant.replicas.served import ServedModel
from tests.gateway.conftest import start_gateway

Script = Callable[[Request, StreamStats], AsyncGenerator[Sequence[Event], None]]


class ScriptedDispatcher:
    """Serves made-up models by a script, and counts the streams that were opened and closed."""

    def __init__(self, models: Mapping[str, ServedModel], script: Script) -> None:
        self._models, self._script = models, script
        self.requests: list[Request] = []
        self.closed = 0

    def models(self) -> Mapping[str, ServedModel]:
        return self._models

    def away(self) -> Set[str]:
        return frozenset()

    def refused(self) -> Mapping[str, str]:
        return {}

    def ready(self) -> bool:
        return True

    async def stream(self, request: Request, stats: StreamStats) -> AsyncGenerator[Sequence[Event], None]:
        self.requests.append(request)
        try:
            async for batch in self._script(request, stats):
                yield batch
        finally:
            self.closed += 1


def answering(*bodies) -> Script:
    """A script that takes the request in and gives these event bodies, each in a batch of its own."""

    async def script(request: Request, stats: StreamStats) -> AsyncGenerator[Sequence[Event], None]:
        stats.started_s = 0.0
        yield ()
        for number, body in enumerate(bodies):
            yield (Event(number, body),)

    return script


def failing(error: Exception) -> Script:
    """A script that fails before it takes the request in."""

    async def script(request: Request, stats: StreamStats) -> AsyncGenerator[Sequence[Event], None]:
        raise error
        yield ()

    return script


def waiting(wait: Callable[[], Awaitable[object]]) -> Script:
    """A script that takes the request in and then awaits `wait` for ever."""

    async def script(request: Request, stats: StreamStats) -> AsyncGenerator[Sequence[Event], None]:
        yield ()
        while True:
            await wait()

    return script


@asynccontextmanager
async def serving(dispatcher, **settings) -> AsyncIterator[tuple[grpc.aio.Channel, Gateway]]:
    """A gateway over `dispatcher`, and a channel to it."""
    gateway = await start_gateway(dispatcher, **settings)
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
            yield channel, gateway
    finally:
        await gateway.drain()
