"""The seam between the gateway and whatever runs the models."""

from collections.abc import AsyncGenerator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Protocol

from sextant.contract.events import Event
from sextant.contract.tasks import Request
from sextant.replicas.served import ServedModel


@dataclass(slots=True)
class StreamStats:
    """What the dispatcher learns while a request runs; the servicer reads it for receipt and metrics.

    `started_s` is when the first step began, on the clock of `time.monotonic`; None before that. `answered` are the
    models that did the work, by name, as the replicas that ran them have them: of another version than `models()`
    tells, perhaps, while a bundle is being replaced.
    """

    started_s: float | None = None
    retries: int = 0
    answered: dict[str, ServedModel] = field(default_factory=dict)


class Dispatcher(Protocol):
    """Runs requests somewhere and brings back their events."""

    def models(self) -> Mapping[str, ServedModel]:
        """The models that are served, by name. Cheap: a snapshot kept up to date in the background."""
        ...

    def away(self) -> Set[str]:
        """Those of them that have no running replica just now: requests for them wait for one."""
        ...

    def refused(self) -> Mapping[str, str]:
        """The configured models whose bundles must not be served, by name, with the reason."""
        ...

    def ready(self) -> bool:
        """Whether every configured model is warm."""
        ...

    def stream(self, request: Request, stats: StreamStats) -> AsyncGenerator[Sequence[Event], None]:
        """The request's events, in order and without gaps, in batches as they come.

        The first batch comes, empty perhaps, as soon as the request is taken in: it will not be refused for load.
        A lost replica is replaced within the deadline and the stream goes on where it stopped. Closing the
        generator (`aclose`) cancels the request and frees its slot. Asking for the next batch tells the
        replica that the last one was sent. Raises the errors of `sextant.contract.errors`.
        """
        ...
