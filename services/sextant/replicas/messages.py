"""What a replica's stream carries to the gateway, in this order: `Hello`, batches of events, perhaps `Failed`.

Errors travel as values: Ray would wrap them differently on each of its transports.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sextant.contract.events import Event


@dataclass(frozen=True, slots=True)
class Hello:
    """Which replica took the request, and after how many events it wants to hear that they have gone out."""

    replica_id: str
    acknowledge_every: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The request's end, if it did not end well."""

    error: Exception


ReplicaMessage = Hello | Sequence[Event] | Failed
