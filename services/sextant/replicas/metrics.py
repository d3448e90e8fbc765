"""A replica's figures for Prometheus: what its schedulers do, per model."""

import logging
import socket

from prometheus_client import Gauge, Histogram, start_http_server

log = logging.getLogger(__name__)
_PORTS = 64

STEP_SECONDS = Histogram(
    "sextant_step_seconds",
    "Time of one network call.",
    ["model"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)
STEP_ROWS = Histogram(
    "sextant_step_rows", "Rows advanced by one network call.", ["model"], buckets=(1, 2, 4, 8, 16, 32, 64, 128)
)
WAIT_SECONDS = Histogram(
    "sextant_slot_wait_seconds",
    "Time an item waited for its slot.",
    ["model"],
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0),
)
QUEUED_ITEMS = Gauge("sextant_queued_items", "Items waiting for a slot.", ["model"])
QUEUE_LIMIT = Gauge(
    "sextant_queue_limit_items", "Items that may wait for a slot; beyond it requests are refused.", ["model"]
)
SLOTS = Gauge("sextant_slots", "Slots that there are.", ["model"])
SLOTS_TAKEN = Gauge("sextant_slots_taken", "Slots held by running items.", ["model"])
UNSENT_EVENTS = Gauge("sextant_unsent_events", "Events made but not yet taken by their readers.", ["model"])


class ModelObserver:
    """Carries one scheduler's figures into the metrics above."""

    def __init__(self, model: str) -> None:
        self._step_seconds = STEP_SECONDS.labels(model)
        self._step_rows = STEP_ROWS.labels(model)
        self._wait_seconds = WAIT_SECONDS.labels(model)
        self._queued = QUEUED_ITEMS.labels(model)
        self._slots = SLOTS_TAKEN.labels(model)
        self._unsent = UNSENT_EVENTS.labels(model)

    def stepped(self, rows: int, seconds: float) -> None:
        """A network call advanced `rows` rows in `seconds`."""
        self._step_seconds.observe(seconds)
        self._step_rows.observe(rows)

    def waited(self, seconds: float) -> None:
        """An item got its slot after `seconds`."""
        self._wait_seconds.observe(seconds)

    def holds(self, queued: int, slots: int, unsent: int) -> None:
        """What the scheduler holds after a tick."""
        self._queued.set(queued)
        self._slots.set(slots)
        self._unsent.set(unsent)


def observe_model(model: str, *, queue_limit: int, slots: int) -> ModelObserver:
    """The observer for the scheduler of `model`, which lets so many items wait and run."""
    QUEUE_LIMIT.labels(model).set(queue_limit)
    SLOTS.labels(model).set(slots)
    return ModelObserver(model)


def serve_metrics(host: str, first_port: int) -> str:
    """Offer this process's metrics on the first free port from `first_port` on; returns "host:port"."""
    for port in range(first_port, first_port + _PORTS):
        try:
            with socket.create_server((host, port)):
                pass
            start_http_server(port, addr=host)
        except OSError:
            continue
        return f"{host}:{port}"
    log.warning("no free port for metrics from %d on; this replica offers none", first_port)
    return ""
