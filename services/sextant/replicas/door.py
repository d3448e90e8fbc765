"""Where a replica takes requests: a port and a key of its own, and a stream of events back for each request."""

import asyncio
import logging
import pickle
import secrets
import time

from sextant.contract.errors import SextantError
from sextant.replicas.co_located import HybridStream
from sextant.replicas.host import ModelHost
from sextant.replicas.link import Link, LinkLost, Stranger, receive_caller
from sextant.replicas.messages import Acknowledge, Close, Ended, Events, Failed, Leaving, Open, Ping, Pong, Taken
from sextant.replicas.tracing import TracedStream
from sextant.runtime.runner import EventStream

log = logging.getLogger(__name__)

_KEY_BYTES = 32
_Stream = EventStream | HybridStream | TracedStream


class Door:
    """A host's models, open to every gateway that knows the key. Make it with `open`."""

    def __init__(self, host: ModelHost) -> None:
        self.key = secrets.token_bytes(_KEY_BYTES)
        self.port = 0
        self._host = host
        self._server: asyncio.Server | None = None
        self._links: set[Link] = set()
        self._running: set[asyncio.Task[None]] = set()
        self._leaving = False

    @classmethod
    async def open(cls, host: ModelHost, address: str) -> "Door":
        """Listen on a free port of `address`."""
        door = cls(host)
        door._server = await asyncio.start_server(door._attend, address, 0)
        door.port = door._server.sockets[0].getsockname()[1]
        return door

    @property
    def streams(self) -> int:
        """How many requests are under way."""
        return len(self._running)

    async def leave(self, timeout_s: float) -> None:
        """Take no new streams, let those that are open end for up to `timeout_s`, then hang up."""
        self._leaving = True
        for link in self._links:
            link.send(Leaving())
        end = time.monotonic() + timeout_s
        while self._running and time.monotonic() < end:
            await asyncio.wait(self._running, timeout=end - time.monotonic())
        if self._server is not None:
            self._server.close()
        for link in self._links:
            link.close()

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One gateway, for as long as it stays; what it asked for is cancelled when it goes."""
        try:
            link = await receive_caller(reader, writer, self.key)
        except (LinkLost, Stranger) as error:
            log.warning("%s: %s", writer.get_extra_info("peername"), error)
            return
        self._links.add(link)
        if self._leaving:
            link.send(Leaving())
        streams: dict[int, _Stream] = {}
        try:
            while True:
                for message in await link.receive():
                    match message:
                        case Open():
                            self._begin(link, streams, message)
                        case Acknowledge(stream, heard) if stream in streams:
                            streams[stream].acknowledge(heard)
                        case Close(stream) if stream in streams:
                            streams[stream].close()
                        case Ping():
                            link.send(Pong())
        except LinkLost:
            pass
        finally:
            self._links.discard(link)
            link.close()
            for events in streams.values():
                events.close()

    def _begin(self, link: Link, streams: dict[int, _Stream], opened: Open) -> None:
        try:
            events = self._host.submit(opened.request)
        except SextantError as error:
            link.send(Failed(opened.stream, _portable(error)))
            return
        streams[opened.stream] = events
        link.send(Taken(opened.stream))
        task = asyncio.create_task(self._answer(link, streams, opened, events))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _answer(self, link: Link, streams: dict[int, _Stream], opened: Open, events: _Stream) -> None:
        """Send a stream's events as they come, and how it ends."""
        number = opened.stream
        try:
            async for batch in events:
                link.send(Events(number, batch))
            link.send(Ended(number))
        except SextantError as error:
            link.send(Failed(number, _portable(error)))
        except Exception as error:
            # Not ours: may not pickle, and its text is for the log.
            log.exception("request %s failed", opened.request.request_id)
            link.send(Failed(number, SextantError(f"{type(error).__name__} in the model")))
        finally:
            events.close()
            del streams[number]


def _portable(error: SextantError) -> SextantError:
    """The error, or its text where a family from outside has made one that does not survive the way."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return SextantError(str(error))
    return error
