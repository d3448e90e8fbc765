"""What travels between gateways and replicas; `link` carries it.

A stream is a request under way, by a number that its gateway chose. The gateway says `Open`, now and then
`Acknowledge`, and `Close` where nobody wants the rest. The replica answers `Taken`, `Events` as they come, then
`Ended` or `Failed`. Errors travel as values. `Ping` belongs to no stream; the replica's event loop answers `Pong`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sextant.contract.events import Event
from sextant.contract.tasks import Request
from sextant.replicas.served import Offer


@dataclass(frozen=True)
class Introduction:
    """What a replica tells a gateway by way of Ray Serve: what it serves, and how to reach it.

    `key` is the replica's own and new at each start; who was not told it cannot connect. A gateway says after every
    `acknowledge_every` events of a stream that they have gone out.
    """

    replica_id: str
    host: str
    port: int
    key: bytes
    offer: Offer
    acknowledge_every: int


@dataclass(frozen=True)
class Open:
    """Run this request."""

    stream: int
    request: Request


@dataclass(frozen=True)
class Acknowledge:
    """So many events of the stream, in all, have gone out to the client."""

    stream: int
    events: int


@dataclass(frozen=True)
class Close:
    """Nobody reads this stream any more: stop, free its slots."""

    stream: int


@dataclass(frozen=True)
class Ping:
    """Are you there? A process that hangs keeps its connections, so that TCP alone would not tell."""


@dataclass(frozen=True)
class Taken:
    """The request is in: it will not be refused for load."""

    stream: int


@dataclass(frozen=True)
class Events:
    """What became final, in order."""

    stream: int
    events: Sequence[Event]


@dataclass(frozen=True)
class Ended:
    """The request is answered in full."""

    stream: int


@dataclass(frozen=True)
class Failed:
    """The request's end, if it did not end well."""

    stream: int
    error: Exception


@dataclass(frozen=True)
class Leaving:
    """This replica takes no new streams; those that are open go on."""


@dataclass(frozen=True)
class Pong:
    """The answer to `Ping`."""


GatewayMessage = Open | Acknowledge | Close | Ping
StreamMessage = Taken | Events | Ended | Failed
ReplicaMessage = StreamMessage | Leaving | Pong
