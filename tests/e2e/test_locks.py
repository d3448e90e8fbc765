"""A platform with everything locked, from the command line: TLS, keys, the cluster's token; and its traces."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.collector import collecting
from tests.e2e.test_replay import platform, sextant
from tests.gateway.test_tls import issue

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

_JOIN = """
import sys
from sextant.replicas.environment import set_ray_environment
set_ray_environment()
import ray
ray.init(address=sys.argv[1], log_to_driver=False)
print("joined", len(ray.nodes()))
"""


def joined(home: Path, token: str) -> bool:
    """Whether a program with this token gets into the cluster."""
    address = json.loads((home / "state" / "run.json").read_text())["ray_address"]
    variables = {"RAY_AUTH_TOKEN": token, "RAY_AUTH_MODE": "token"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _JOIN, address], env={**os.environ, **variables}, capture_output=True, timeout=90
        )
    except subprocess.TimeoutExpired:
        return False
    return b"joined" in done.stdout


def test_a_locked_platform_serves_who_has_everything_and_nobody_else_and_is_one_trace(tmp_path):
    tls = issue(tmp_path)
    keys, key = tmp_path / "keys.toml", tmp_path / "key"
    made = sextant(tmp_path, "keys", "create", "me", "--file", keys)
    key.write_text(made.stdout)
    families = {"gan": {"models": ["fashion-dcgan"], "num_cpus": 0}}
    token = "0123456789abcdef" * 4
    server = {
        "SEXTANT_TLS_CERTIFICATE": str(tls / "server.pem"),
        "SEXTANT_TLS_KEY": str(tls / "server.key"),
        "SEXTANT_TLS_CLIENT_CA": str(tls / "ca.pem"),
        "SEXTANT_KEYS": str(keys),
        "SEXTANT_LOG_FORMAT": "json",
        "RAY_AUTH_TOKEN": token,
    }
    trusting = ("--tls-ca", tls / "ca.pem")
    mine = ("--tls-certificate", tls / "client.pem", "--tls-key", tls / "client.key")
    with collecting() as collector:
        with platform(tmp_path, families, **server, SEXTANT_OTLP_ENDPOINT=collector.endpoint) as target:
            target = target.replace("127.0.0.1", "localhost")

            def asked(*options: object) -> subprocess.CompletedProcess[str]:
                what = ("generate", "image", "--out", tmp_path / "made", "--target", target)
                return sextant(tmp_path, *options, *what)

            done = asked(*trusting, *mine, "--api-key-file", key)
            assert done.returncode == 0, done.stderr
            for options in (("--api-key-file", key), (*trusting, "--api-key-file", key), (*trusting, *mine)):
                refused = asked(*options)
                assert (refused.returncode, "Traceback" in refused.stderr) == (1, False)
            assert "an API key is needed" in refused.stderr
            assert joined(tmp_path, token)
            assert not joined(tmp_path, token[::-1])
            written = (tmp_path / "state/logs/gateway-0.log").read_text()
        end = time.monotonic() + 30
        while not collector.named("steps") and time.monotonic() < end:
            time.sleep(0.2)
    # gRPC's core writes of failed handshakes itself, in its own form.
    logged = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
    (request,) = [line for line in logged if line.get("code") == "OK"]
    assert (request["key"], request["model"]) == ("me", "fashion-dcgan")
    assert key.read_text().strip().rpartition(".")[2] not in written
    (call,), (attempt,), (run,), (steps,) = (
        collector.named(name) for name in ("generate", "attempt", "run fashion-dcgan", "steps")
    )
    assert (call.service, run.service) == ("sextant-gateway", "sextant-gan")
    assert [attempt.parent_id, run.parent_id, steps.parent_id] == [call.span_id, attempt.span_id, run.span_id]
    assert request["trace_id"] == call.trace_id == steps.trace_id
