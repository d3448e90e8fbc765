"""The class that Ray Serve replicates: one family's models behind four methods."""

import logging
import os
from collections.abc import AsyncGenerator
from typing import Any

from ray import serve

from sextant.bundles.store import BundleStore
from sextant.contract.errors import SextantError
from sextant.contract.tasks import Request
from sextant.replicas.co_located import HybridStream
from sextant.replicas.config import ClusterConfig
from sextant.replicas.host import ModelHost
from sextant.replicas.messages import Failed, Hello, ReplicaMessage
from sextant.replicas.metrics import serve_metrics
from sextant.replicas.served import Offer
from sextant.runtime.runner import EventStream


class FamilyReplica:
    """One replica of one family. Serve calls it ready when the constructor returns: all models are warm then."""

    # Serve awaits an async constructor.
    async def __init__(self, family: str, config: ClusterConfig) -> None:  # type: ignore[misc]
        logging.getLogger("sextant").setLevel(logging.INFO)
        store = BundleStore([*config.bundle_directories, *BundleStore.default().directories])
        self._host = await ModelHost.load(config.implementation(family), config.families[family], store)
        self._metrics = serve_metrics(config.replica_metrics_host, config.replica_metrics_port)
        self._replica_id = serve.get_replica_context().replica_id.unique_id
        # Well before the bound stops a stream whose reader keeps up; each acknowledgement costs a call.
        self._acknowledge_every = max(1, config.families[family].max_unsent_events // 4)
        self._streams: dict[str, EventStream | HybridStream] = {}

    async def stream(self, request: Request, stream_id: str) -> AsyncGenerator[ReplicaMessage, None]:
        """Run a request. Closing the stream cancels it; its slot is free within one step."""
        try:
            events = self._host.submit(request)
        except SextantError as error:
            yield Failed(error)
            return
        self._streams[stream_id] = events
        try:
            yield Hello(self._replica_id, self._acknowledge_every)
            async for batch in events:
                yield batch
        except SextantError as error:
            yield Failed(error)
        except Exception as error:
            # Not ours: may not pickle, and its text is for the log.
            logging.getLogger("sextant").exception("request %s failed", request.request_id)
            yield Failed(SextantError(f"{type(error).__name__} in the model"))
        finally:
            events.close()
            del self._streams[stream_id]

    async def acknowledge(self, stream_id: str, events: int, replica_id: str) -> None:
        """Say that `events` events in all of a stream have gone out. `replica_id` is for the router."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            stream.acknowledge(events)

    async def offer(self) -> Offer:
        """What this replica serves, and what it refuses to."""
        return self._host.offer

    async def describe(self) -> dict[str, Any]:
        """Where this replica runs and where its metrics are, for `sextant status`."""
        return {
            "replica": self._replica_id,
            "pid": os.getpid(),
            "metrics": self._metrics,
            "models": list(self._host.offer.models),
            "cuda_visible_devices": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
        }

    async def check_health(self) -> None:
        """Called by Serve every few seconds; raising gets the replica replaced."""
        self._host.check()
