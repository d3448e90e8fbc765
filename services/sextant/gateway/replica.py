"""A replica as this gateway sees it: one link, with all its streams on it."""

import asyncio
import itertools
import logging
from collections.abc import AsyncGenerator, Callable, Sequence

from sextant.contract.events import Event
from sextant.contract.tasks import Request
from sextant.replicas.link import Link, LinkLost, reach
from sextant.replicas.messages import (
    Acknowledge,
    Close,
    Ended,
    Events,
    Failed,
    Introduction,
    Leaving,
    Open,
    Ping,
    Pong,
    StreamMessage,
    Taken,
)

log = logging.getLogger(__name__)

# A replica that leaves so many pings unanswered hangs, or cannot be reached: after about ten seconds. Pings are counted
# rather than seconds, so that a gateway that hung itself does not blame its replicas for it.
_PING_S = 2.0
_MOST_UNANSWERED = 5


class Replica:
    """A replica that this gateway has met. Make it with `meet`; a lost one stays lost."""

    def __init__(self, introduction: Introduction, link: Link) -> None:
        self.introduction = introduction
        self.taking = True  # new streams: neither lost nor on its way out
        self.lost = False
        self._link = link
        self._numbers = itertools.count()
        self._inboxes: dict[int, asyncio.Queue[StreamMessage | LinkLost]] = {}
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._unanswered = 0

    @classmethod
    async def meet(cls, introduction: Introduction, on_loss: Callable[[], None]) -> "Replica":
        """Connect; `on_loss` is called when the replica is gone. Raises `LinkLost` or `Stranger`."""
        link = await reach(introduction.host, introduction.port, introduction.key)
        replica = cls(introduction, link)
        replica._tasks = asyncio.create_task(replica._read(on_loss)), asyncio.create_task(replica._keep_asking())
        return replica

    @property
    def open_streams(self) -> int:
        """How many streams of this gateway run there."""
        return len(self._inboxes)

    def close(self) -> None:
        """Hang up; what runs there for this gateway is cancelled."""
        self._link.close()
        for task in self._tasks:
            task.cancel()

    async def stream(self, request: Request) -> AsyncGenerator[Sequence[Event], None]:
        """The request's events in batches, an empty one first when it is taken in. Closing this cancels it there.

        Raises the request's error, and `LinkLost` where the replica is gone.
        """
        if self.lost:
            raise LinkLost("the replica is gone")
        number = next(self._numbers)
        inbox: asyncio.Queue[StreamMessage | LinkLost] = asyncio.Queue()
        self._inboxes[number] = inbox
        self._link.send(Open(number, request))
        ended = False
        seen = acknowledged = 0
        try:
            while True:
                match await inbox.get():
                    case Taken():
                        yield ()
                    case Events(_, events):
                        yield events
                        # Asked for more: what was yielded has gone out.
                        seen += len(events)
                        if seen - acknowledged >= self.introduction.acknowledge_every:
                            acknowledged = seen
                            self._link.send(Acknowledge(number, seen))
                    case Ended():
                        ended = True
                        return
                    case Failed(_, error):
                        ended = True
                        raise error
                    case LinkLost() as loss:
                        ended = True
                        raise loss
        finally:
            del self._inboxes[number]
            if not ended:
                self._link.send(Close(number))

    async def _read(self, on_loss: Callable[[], None]) -> None:
        """Give every stream what is meant for it, until the replica is gone."""
        loss = LinkLost("the replica was lost")
        try:
            while True:
                for message in await self._link.receive():
                    self._unanswered = 0
                    if isinstance(message, Leaving):
                        self.taking = False
                    elif not isinstance(message, Pong) and message.stream in self._inboxes:
                        self._inboxes[message.stream].put_nowait(message)
        except LinkLost as error:
            loss = error
        except Exception:
            log.exception("replica %s sends what cannot be read", self.introduction.replica_id)
        finally:
            self.taking, self.lost = False, True
            self._link.close()
            for inbox in self._inboxes.values():
                inbox.put_nowait(loss)
            on_loss()

    async def _keep_asking(self) -> None:
        """Ping, and give the replica up where it does not answer: its streams begin again elsewhere."""
        while not self.lost:
            if self._unanswered >= _MOST_UNANSWERED:
                log.warning("replica %s does not answer", self.introduction.replica_id)
                self._link.abort()
                return
            self._unanswered += 1
            self._link.send(Ping())
            await asyncio.sleep(_PING_S)
