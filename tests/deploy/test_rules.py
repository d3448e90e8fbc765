"""Recording rules and alerts: valid, about metrics that exist, right on made-up series, and led to a runbook."""

import re
import shutil
import subprocess

import pytest

from tests.deploy.metric_names import asked_for, existing, rules
from tests.deploy.places import DEPLOY, ROOT, RUNBOOKS

PROMETHEUS = DEPLOY / "prometheus"
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


def promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=PROMETHEUS, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_accepts_the_configuration_and_the_rules():
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "recording.yml", "alerts.yml")


@needs_promtool
def test_alerts_fire_and_hold_their_peace_as_they_should():
    promtool("test", "rules", "rules_test.yml")


def test_every_rule_asks_for_metrics_that_exist():
    for rule in [*rules("recording.yml"), *rules("alerts.yml")]:
        assert asked_for(rule["expr"]), rule
        assert asked_for(rule["expr"]) <= existing(), rule


def test_every_alert_says_how_urgent_it_is_and_leads_to_a_section_that_exists():
    sections = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).strip().replace(" ", "-")
        for heading in re.findall(r"^## (.+)$", RUNBOOKS.read_text(), re.MULTILINE)
    }
    for alert in rules("alerts.yml"):
        assert alert["labels"]["severity"] in ("page", "ticket")
        file, _, section = alert["annotations"]["runbook_url"].partition("#")
        assert ROOT / file == RUNBOOKS
        assert section in sections, alert["alert"]


def test_every_alert_is_tried_on_made_up_series():
    tried = (PROMETHEUS / "rules_test.yml").read_text()
    for alert in rules("alerts.yml"):
        assert f"alertname: {alert['alert']}\n" in tried


def test_a_name_that_does_not_exist_is_noticed():
    assert asked_for("sum by (a) (rate(sextant_nonesuch_total[5m])) / on (a) up") == {"sextant_nonesuch_total", "up"}
    assert "sextant_nonesuch_total" not in existing()
    assert "sextant_requests_total" in existing()
