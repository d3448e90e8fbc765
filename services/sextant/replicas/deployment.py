"""The class that Ray Serve replicates: one family's models, and the door at which gateways find them."""

import logging
import os
from typing import Any

import ray
from ray import serve

from sextant.bundles.store import BundleStore
from sextant.replicas.config import ClusterConfig
from sextant.replicas.door import Door
from sextant.replicas.host import ModelHost
from sextant.replicas.messages import Introduction
from sextant.replicas.metrics import serve_metrics
from sextant.replicas.tracing import start_tracing, stop_tracing

_LOOPBACK = "127.0.0.1"
# Within what Serve gives a replica that has to go (`cluster.STOP_S`).
_LEAVE_S = 25.0


class FamilyReplica:
    """One replica of one family. Serve calls it ready when the constructor returns: all models are warm then."""

    # Serve awaits an async constructor.
    async def __init__(self, family: str, config: ClusterConfig) -> None:  # type: ignore[misc]
        logging.getLogger("sextant").setLevel(logging.INFO)
        if endpoint := os.environ.get("SEXTANT_OTLP_ENDPOINT"):
            start_tracing(f"sextant-{family}", endpoint)
        store = BundleStore([*config.bundle_directories, *BundleStore.default().directories])
        self._host = await ModelHost.load(config.implementation(family), config.families[family], store)
        self._metrics = serve_metrics(config.replica_metrics_host, config.replica_metrics_port)
        self._replica_id = serve.get_replica_context().replica_id.unique_id
        self._address = _LOOPBACK if config.replica_listen == "loopback" else ray.util.get_node_ip_address()
        self._door = await Door.open(self._host, self._address)
        # Well before the bound stops a stream whose reader keeps up; each acknowledgement costs a message.
        self._acknowledge_every = max(1, config.families[family].max_unsent_events // 4)

    async def introduce(self) -> Introduction:
        """What this replica serves and how gateways reach it."""
        return Introduction(
            self._replica_id, self._address, self._door.port, self._door.key, self._host.offer, self._acknowledge_every
        )

    async def describe(self) -> dict[str, Any]:
        """Where this replica runs and where its metrics are."""
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

    async def __del__(self) -> None:
        """Called by Serve when this replica has to go, in an upgrade say: streams that are open may end."""
        await self._door.leave(_LEAVE_S)
        stop_tracing()
