"""A gateway's settings, and the files that come with it."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

import sextant
from sextant.gateway.config import GatewayConfig, GatewayConfigError
from sextant.gateway.guide import schema
from sextant.gateway.guide.schema import default_guide_path, load_guide

ROOT = Path(__file__).parents[2]


def test_without_any_variable_the_defaults_apply():
    assert GatewayConfig.from_environment({}) == GatewayConfig()
    assert all(field.default is not PydanticUndefined for field in GatewayConfig.model_fields.values())


def test_every_setting_can_be_given_by_its_variable_and_is_documented():
    operations = (ROOT / "docs" / "operations.md").read_text()
    for name in GatewayConfig.model_fields:
        assert f"`SEXTANT_{name.upper()}`" in operations
    given = {"SEXTANT_LISTEN": "[::]:1", "SEXTANT_MAX_MESSAGE_BYTES": "2048", "SEXTANT_DRAIN_SECONDS": "1.5"}
    config = GatewayConfig.from_environment(given)
    assert (config.listen, config.max_message_bytes, config.drain_seconds) == ("[::]:1", 2048, 1.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SEXTANT_LISTEN", "nonsense"),
        ("SEXTANT_METRICS_LISTEN", "9464"),
        ("SEXTANT_METRICS_LISTEN", "localhost:http"),
        ("SEXTANT_MAX_MESSAGE_BYTES", "0"),
        ("SEXTANT_MAX_CONCURRENT_STREAMS", "many"),
        ("SEXTANT_DRAIN_SECONDS", "-1"),
        ("SEXTANT_DRAIN_SECONDS", "inf"),
        ("SEXTANT_DRAIN_SECONDS", "nan"),
        ("SEXTANT_LOG_LEVEL", "loud"),
        ("SEXTANT_LOG_FORMAT", "xml"),
        ("SEXTANT_HEALTH", "off"),
        ("SEXTANT_REFLECTION", "yes"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_by_its_variable(name, value):
    with pytest.raises(GatewayConfigError, match=name):
        GatewayConfig.from_environment({name: value})


@pytest.mark.parametrize("given", [{"TLS_KEY": "k"}, {"TLS_CERTIFICATE": "c"}, {"TLS_CLIENT_CA": "ca"}])
def test_half_of_tls_is_refused(given):
    with pytest.raises(GatewayConfigError, match="tls_"):
        GatewayConfig.from_environment({f"SEXTANT_{name}": value for name, value in given.items()})


def test_the_guide_ships_where_an_installed_gateway_looks_for_it():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    source, target = next(iter(build["force-include"].items()))
    assert (ROOT / source).samefile(default_guide_path())
    assert Path(sextant.__file__).parents[1] / target == schema._INSTALLED


def test_sextant_guide_names_another_guide(tmp_path, monkeypatch):
    path = tmp_path / "mine.yaml"
    path.write_text("rows:\n  - {name: mine, task: score, families: [flow], reason: because}\n")
    monkeypatch.setenv("SEXTANT_GUIDE", str(path))
    assert [row.name for row in load_guide(default_guide_path()).rows] == ["mine"]


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({}, "SEXTANT_RAY_ADDRESS: is required"),
        ({"SEXTANT_LISTEN": "nonsense"}, "SEXTANT_LISTEN: "),
        ({"SEXTANT_RAY_ADDRESS": "127.0.0.1:1", "SEXTANT_GUIDE": "/nowhere/guide.yaml"}, "/nowhere/guide.yaml: "),
    ],
)
def test_a_gateway_that_cannot_start_says_why_in_one_line(variables, complaint):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SEXTANT_")} | variables
    command = [sys.executable, "-m", "sextant.gateway"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"sextant gateway: {complaint}")
    assert ended.stderr.count("\n") == 1
