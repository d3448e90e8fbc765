"""Dispatch within this process: a gateway without a cluster, for tests and for measuring what Ray costs."""

import time
from collections.abc import AsyncGenerator, Mapping, Sequence, Set

from sextant.contract.events import Event, Result
from sextant.contract.tasks import Request
from sextant.gateway.dispatch import StreamStats
from sextant.replicas.host import ModelHost
from sextant.replicas.served import ServedModel


class LocalDispatcher:
    """Runs requests on the models of one host."""

    def __init__(self, host: ModelHost) -> None:
        self._host = host

    def models(self) -> Mapping[str, ServedModel]:
        """The host's models."""
        return self._host.offer.models

    def away(self) -> Set[str]:
        """None: this process is here."""
        return frozenset()

    def refused(self) -> Mapping[str, str]:
        """The host's refused bundles."""
        return self._host.offer.refused

    def ready(self) -> bool:
        """Always: a host that exists is warm."""
        return True

    async def stream(self, request: Request, stats: StreamStats) -> AsyncGenerator[Sequence[Event], None]:
        """See `Dispatcher.stream`; there is no replica to lose."""
        arrived = time.monotonic()
        events = self._host.submit(request)
        if (served := self._host.offer.models.get(request.model)) is not None:
            stats.answered[request.model] = served
        seen = 0
        try:
            yield ()
            async for batch in events:
                for event in batch:
                    if isinstance(event.body, Result) and stats.started_s is None:
                        stats.started_s = arrived + event.body.usage.queue_s
                yield batch
                seen += len(batch)
                events.acknowledge(seen)
        finally:
            events.close()
