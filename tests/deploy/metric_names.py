"""Which series exist: what the processes offer, what recording rules make of it, and what an expression asks for."""

from collections.abc import Iterator
from typing import Any

import promql_parser
from prometheus_client import REGISTRY

import sextant.gateway.metrics
import sextant.replicas.metrics  # noqa: F401 - both register what they offer
from tests.deploy.places import DEPLOY, read

_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "info": ("_info",)}
_PROMETHEUS_OWN = {"up", "ALERTS"}


def existing() -> set[str]:
    """The names of all series that a query may ask for."""
    offered = {family.name + suffix for family in REGISTRY.collect() for suffix in _SUFFIXES.get(family.type, ("",))}
    recorded = {rule["record"] for rule in rules("recording.yml")}
    return offered | recorded | _PROMETHEUS_OWN


def rules(file: str) -> list[dict[str, Any]]:
    """The rules of a file of deploy/prometheus."""
    return [rule for group in read(DEPLOY / "prometheus" / file)["groups"] for rule in group["rules"]]


def asked_for(expression: str) -> set[str]:
    """The names of the series in an expression. ValueError where it is no PromQL."""
    return set(_names(promql_parser.parse(expression)))


def _names(node: Any) -> Iterator[str]:
    if isinstance(node, promql_parser.VectorSelector):
        yield node.name
    for part in ("expr", "lhs", "rhs", "param", "vector_selector"):
        inner = getattr(node, part, None)
        if isinstance(inner, promql_parser.Expr):
            yield from _names(inner)
    for argument in getattr(node, "args", None) or ():
        yield from _names(argument)
