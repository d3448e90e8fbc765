"""The gateway's figures for Prometheus. Labels are bounded: models by what is served, keys by their file."""

from collections.abc import Mapping

from prometheus_client import Counter, Gauge, Histogram, Info, disable_created_metrics, start_http_server

import sextant
from sextant.replicas.served import ServedModel

disable_created_metrics()  # type: ignore[no-untyped-call]

_LATENCY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_PLACE = ["task", "family", "model"]

REQUESTS = Counter("sextant_requests_total", "Requests that ended, by outcome.", [*_PLACE, "code"])
IN_FLIGHT = Gauge("sextant_requests_in_flight", "Requests that are being answered.", ["task"])
REQUEST_SECONDS = Histogram("sextant_request_seconds", "Time from arrival to the end.", _PLACE, buckets=_LATENCY)
QUEUE_SECONDS = Histogram("sextant_queue_seconds", "Time from arrival to the first step.", _PLACE, buckets=_LATENCY)
FIRST_EVENT_SECONDS = Histogram(
    "sextant_first_event_seconds", "Time from arrival to the first chunk or result.", _PLACE, buckets=_LATENCY
)
ITEMS = Counter("sextant_items_total", "Items made.", _PLACE)
STEPS = Counter("sextant_steps_total", "Network steps that items took part in.", _PLACE)
TOKENS = Counter("sextant_tokens_total", "Tokens read (prompt) and made (generated).", ["model", "kind"])
RETRIES = Counter("sextant_retries_total", "Requests moved to another replica.", ["model"])
DECISIONS = Counter("sextant_route_decisions_total", "Decisions, by the row that fired.", ["rule", "model"])
CANARIES = Counter("sextant_canary_decisions_total", "Decisions for a row's canary.", ["rule", "model"])
SHADOWS = Counter(
    "sextant_shadow_requests_total",
    "Requests that a shadow was to answer too: same or different content, failed, or dropped under load.",
    ["rule", "model", "outcome"],
)
SHADOW_SECONDS = Histogram(
    "sextant_shadow_seconds",
    "Time to the whole answer of requests that a shadow answered too: the chosen model's and the shadow's.",
    ["rule", "model", "role"],
    buckets=_LATENCY,
)
SHADOW_BITS = Histogram(
    "sextant_shadow_extra_bits_per_dimension",
    "Bits per dimension by the shadow minus those by the chosen model, for each item that both scored.",
    ["rule", "model"],
    buckets=(-1.0, -0.3, -0.1, -0.03, -0.01, 0.0, 0.01, 0.03, 0.1, 0.3, 1.0),
)
INTENTS = Counter("sextant_intents_total", "Requests in plain words, by the row they mean, or refused.", ["row"])
GUIDE_RELOADS = Counter("sextant_guide_reloads_total", "Guides taken over while running.")
GUIDE_FAILURES = Counter("sextant_guide_reload_failures_total", "Changed guides that were broken; the old one stayed.")
GUIDE_LOADED = Gauge("sextant_guide_loaded_timestamp_seconds", "When the guide in force was read, in Unix time.")
GUIDE = Info("sextant_guide", "The guide in force.")
KEYS = Gauge("sextant_api_keys", "API keys in force.")
KEY_FAILURES = Counter(
    "sextant_api_key_reload_failures_total", "Changed files of API keys that were broken; the old keys stayed."
)
KEY_CALLS = Counter(
    "sextant_api_key_calls_total",
    'Calls that had to show an API key, by its name and what came of it: admitted or refused; "" for no known key.',
    ["key", "outcome"],
)
CERTIFICATE_FAILURES = Counter(
    "sextant_certificate_reload_failures_total", "Changed certificates that could not be used; the old ones stayed."
)
RECEIVED_BYTES = Counter("sextant_received_bytes_total", "Bytes of request messages.", ["method"])
SENT_BYTES = Counter("sextant_sent_bytes_total", "Bytes of answers and events.", ["method"])
READY = Gauge("sextant_ready", "1 while every configured model is warm and the gateway is not draining.")
SERVED_MODELS = Gauge("sextant_served_models", "Models that have a running replica.", ["family"])
REFUSED_BUNDLES = Gauge("sextant_refused_bundles", "1 for a configured bundle that must not be served.", ["model"])
MANIFEST_LATENCY = Gauge(
    "sextant_manifest_latency_seconds", "Time of one item alone, as the bundle's manifest has it.", ["model"]
)
BUILD = Info("sextant_build", "Version of this gateway.")
BUILD.info({"version": sextant.__version__})


def serve_metrics(listen: str) -> None:
    """Offer the metrics at "host:port". Raises OSError where the port is taken."""
    host, _, port = listen.rpartition(":")
    start_http_server(int(port), addr=host)


def forget_key(name: str) -> None:
    """A key is gone, and its series with it."""
    KEY_CALLS.remove_by_labels({"key": name})


def observe_offer(models: Mapping[str, ServedModel], refused: Mapping[str, str], families: set[str]) -> None:
    """Tell what is served now. `families` remembers those seen: one that is gone counts as 0, not as unknown."""
    served: dict[str, int] = dict.fromkeys(families, 0)
    for name, model in models.items():
        family = model.manifest.family
        served[family] = served.get(family, 0) + 1
        for measurement in model.manifest.measurements:
            if measurement.name == "latency":
                MANIFEST_LATENCY.labels(name).set(measurement.value)
    for family, count in served.items():
        SERVED_MODELS.labels(family).set(count)
    families.update(served)
    for name in refused:
        REFUSED_BUNDLES.labels(name).set(name not in models)
