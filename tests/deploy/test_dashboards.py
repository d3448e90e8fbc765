"""Grafana's dashboards: as the generator writes them, on metrics that exist."""

import json

import pytest

from deploy.grafana.generate import DASHBOARDS, DIRECTORY, Dashboard, expressions, to_json
from tests.deploy.metric_names import asked_for, existing
from tests.deploy.places import DEPLOY, read

by_name = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=[dashboard.uid for dashboard in DASHBOARDS])


@by_name
def test_the_file_is_what_the_generator_writes(dashboard: Dashboard):
    assert (DIRECTORY / f"{dashboard.uid}.json").read_text() == to_json(dashboard)


def test_there_are_no_other_files():
    assert {path.stem for path in DIRECTORY.iterdir()} == {dashboard.uid for dashboard in DASHBOARDS}


@by_name
def test_every_expression_is_promql_and_asks_for_metrics_that_exist(dashboard: Dashboard):
    for expression in expressions(dashboard):
        assert asked_for(expression), expression
        assert asked_for(expression) <= existing(), expression


@by_name
def test_panels_do_not_overlap(dashboard: Dashboard):
    taken = set()
    for panel in json.loads(to_json(dashboard))["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken
                taken.add((x, y))


def test_provisioning_leads_to_the_data_source_and_the_directory_that_compose_mounts():
    (source,) = read(DEPLOY / "grafana/provisioning/datasources/prometheus.yml")["datasources"]
    used = {
        panel["datasource"]["uid"]
        for dashboard in DASHBOARDS
        for panel in json.loads(to_json(dashboard))["panels"]
        if panel["type"] != "row"
    }
    assert used == {source["uid"]}
    (provider,) = read(DEPLOY / "grafana/provisioning/dashboards/sextant.yml")["providers"]
    mounts = read(DEPLOY.parent / "docker-compose.yml")["services"]["grafana"]["volumes"]
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in mounts
