"""Writes the dashboards: `python deploy/grafana/generate.py`. Change this, not the JSON; a test compares them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).parent / "dashboards"
_COLUMNS = 3
_WIDTH, _HEIGHT = 24 // _COLUMNS, 8


@dataclass(frozen=True)
class Panel:
    """A diagram over time: expressions by the names of their curves (`{{label}}` is filled in), and their unit."""

    title: str
    unit: str
    curves: dict[str, str]
    description: str = ""
    stacked: bool = False


@dataclass(frozen=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Dashboard:
    """A page; `variables` are filters by name, each with the query for its values."""

    uid: str
    title: str
    rows: Sequence[Row]
    variables: dict[str, str]


_TASK_FAMILY = "{{task}} {{family}}"
_FAMILY = 'family=~"$family"'

OVERVIEW = Dashboard(
    uid="sextant-overview",
    title="Sextant: overview",
    variables={"family": "label_values(sextant_served_models, family)"},
    rows=(
        Row(
            "Is it well?",
            (
                Panel("Gateways ready", "short", {"{{instance}}": "sextant_ready"}),
                Panel(
                    "Models served",
                    "short",
                    {"{{family}}": f"max by (family) (sextant_served_models{{{_FAMILY}}})"},
                    "Models with a running replica; 0 means that the family has none.",
                ),
                Panel(
                    "Errors",
                    "percentunit",
                    {_TASK_FAMILY: f"task_family:sextant_request_errors:ratio5m{{{_FAMILY}}}"},
                    "What the caller could not have avoided: INTERNAL, UNAVAILABLE, UNKNOWN and DATA_LOSS.",
                ),
            ),
        ),
        Row(
            "What is asked",
            (
                Panel(
                    "Requests",
                    "reqps",
                    {_TASK_FAMILY: f"task_family:sextant_requests:rate5m{{{_FAMILY}}}"},
                    stacked=True,
                ),
                Panel(
                    "By code",
                    "reqps",
                    {"{{code}}": f"sum by (code) (rate(sextant_requests_total{{{_FAMILY}}}[5m]))"},
                    stacked=True,
                ),
                Panel("In flight", "short", {"{{task}}": "sum by (task) (sextant_requests_in_flight)"}, stacked=True),
            ),
        ),
        Row(
            "How long it takes",
            (
                Panel(
                    "Whole requests",
                    "s",
                    {
                        f"p{percent} {_TASK_FAMILY}": f"task_family:sextant_request_seconds:p{percent}{{{_FAMILY}}}"
                        for percent in (50, 95, 99)
                    },
                ),
                Panel(
                    "First event, p95",
                    "s",
                    {_TASK_FAMILY: f"task_family:sextant_first_event_seconds:p95{{{_FAMILY}}}"},
                ),
                Panel(
                    "Beside the manifest",
                    "none",
                    {"{{model}}": "model:sextant_latency:ratio_to_manifest"},
                    "The median request over what the bundle's manifest says of one item alone.",
                ),
            ),
        ),
        Row(
            "What moves",
            (
                Panel("Steps", "ops", {"{{family}}": f"family:sextant_steps:rate1m{{{_FAMILY}}}"}),
                Panel("Tokens generated", "ops", {"{{model}}": "model:sextant_tokens:rate1m"}),
                Panel(
                    "Decisions of the guide",
                    "ops",
                    {"{{rule}} → {{model}}": "sum by (rule, model) (rate(sextant_route_decisions_total[5m]))"},
                ),
            ),
        ),
    ),
)

REPLICAS = Dashboard(
    uid="sextant-replicas",
    title="Sextant: replicas",
    variables={"family": "label_values(sextant_slots, family)"},
    rows=(
        Row(
            "Room",
            (
                Panel(
                    "Slots taken",
                    "percentunit",
                    {
                        "{{family}}": f"family:sextant_slots_taken:sum{{{_FAMILY}}}"
                        f" / family:sextant_slots:sum{{{_FAMILY}}}"
                    },
                ),
                Panel("Items waiting", "short", {"{{family}}": f"family:sextant_queued_items:sum{{{_FAMILY}}}"}),
                Panel("Queue", "percentunit", {"{{model}}": f"family_model:sextant_queue:ratio{{{_FAMILY}}}"}),
            ),
        ),
        Row(
            "Steps",
            (
                Panel("One step, median", "s", {"{{model}}": "model:sextant_step_seconds:p50"}),
                Panel("Rows of a step", "short", {"{{model}}": "model:sextant_step_rows:mean5m"}, "The batch."),
                Panel(
                    "Wait for a slot, p95", "s", {"{{family}}": f"family:sextant_slot_wait_seconds:p95{{{_FAMILY}}}"}
                ),
            ),
        ),
        Row(
            "Processes",
            (
                Panel(
                    "Memory",
                    "bytes",
                    {"{{family}} {{instance}}": 'process_resident_memory_bytes{job="sextant-replicas"}'},
                ),
                Panel(
                    "CPU",
                    "percentunit",
                    {"{{family}} {{instance}}": 'rate(process_cpu_seconds_total{job="sextant-replicas"}[1m])'},
                ),
                Panel(
                    "Starts in half an hour",
                    "short",
                    {"{{family}}": f"family:sextant_replica_starts:count30m{{{_FAMILY}}}"},
                    "Each replica that was seen counts once, and again whenever it began anew.",
                ),
            ),
        ),
        Row(
            "Trouble",
            (
                Panel(
                    "Moved to another replica", "ops", {"{{model}}": "sum by (model) (rate(sextant_retries_total[5m]))"}
                ),
                Panel("Unsent events", "short", {"{{model}}": f"sum by (model) (sextant_unsent_events{{{_FAMILY}}})"}),
                Panel("Refused bundles", "short", {"{{model}}": "max by (model) (sextant_refused_bundles)"}),
            ),
        ),
    ),
)

DASHBOARDS = (OVERVIEW, REPLICAS)


def expressions(dashboard: Dashboard) -> Iterator[str]:
    """Every expression, with variables filled in so that it is plain PromQL."""
    for row in dashboard.rows:
        for panel in row.panels:
            for expression in panel.curves.values():
                yield expression.replace("$family", ".+")


def to_json(dashboard: Dashboard) -> str:
    """The dashboard as Grafana reads it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row in dashboard.rows:
        place = {"x": 0, "y": top, "w": 24, "h": 1}
        panels.append({"type": "row", "id": len(panels) + 1, "title": row.title, "gridPos": place, "panels": []})
        for index, panel in enumerate(row.panels):
            place = {
                "x": _WIDTH * (index % _COLUMNS),
                "y": top + 1 + _HEIGHT * (index // _COLUMNS),
                "w": _WIDTH,
                "h": _HEIGHT,
            }
            panels.append(_panel(panel, len(panels) + 1, place))
        top += 1 + _HEIGHT * -(-len(row.panels) // _COLUMNS)
    page = {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["sextant"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_variable(name, query) for name, query in dashboard.variables.items()]},
        "panels": panels,
    }
    return json.dumps(page, indent=2, ensure_ascii=False) + "\n"


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    custom = {"fillOpacity": 20 if panel.stacked else 0, "stacking": {"mode": "normal" if panel.stacked else "none"}}
    return {
        "type": "timeseries",
        "id": number,
        "title": panel.title,
        "description": panel.description,
        "datasource": {"type": "prometheus", "uid": "prometheus"},
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, "custom": custom}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + index), "expr": expression, "legendFormat": legend}
            for index, (legend, expression) in enumerate(panel.curves.items())
        ],
    }


def _variable(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "query": query,
        "datasource": {"type": "prometheus", "uid": "prometheus"},
        "refresh": 2,
        "includeAll": True,
        "allValue": ".+",
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }


if __name__ == "__main__":
    DIRECTORY.mkdir(exist_ok=True)
    for dashboard in DASHBOARDS:
        (DIRECTORY / f"{dashboard.uid}.json").write_text(to_json(dashboard))
