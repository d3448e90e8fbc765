"""A bundle replaced by its next version while requests come: none fails, and each says which version answered it."""

import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import grpc
import pytest
import yaml

from bench.platform import SOURCES, Running, platform
from sextant.contract.v1 import generation_pb2_grpc
from tests.e2e.conftest import encode_request, probe_request
from tests.probe import write_probe_bundle

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_OLD, _NEW = "1.0.0", "2.0.0"


class Callers:
    """Streams and single calls without a pause, until told to stop."""

    def __init__(self, target: str) -> None:
        self.versions: list[str] = []
        self.failed: list[str] = []
        self.slowest_s = 0.0
        self._target, self._stop = target, threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(number,)) for number in range(6)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _call(self, number: int) -> None:
        with grpc.insecure_channel(self._target, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            stub = generation_pb2_grpc.GenerationStub(channel)
            while not self._stop.is_set():
                began = time.monotonic()
                try:
                    self.versions.append(self._one(stub, number))
                except (grpc.RpcError, AssertionError) as error:
                    self.failed.append(str(error))
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)

    def _one(self, stub: generation_pb2_grpc.GenerationStub, number: int) -> str:
        """The version that the receipt tells; of a stream it is the one that the bytes show."""
        if number % 3 == 0:
            return stub.Encode(encode_request("x", model="probe"), timeout=120).receipt.version
        events = list(stub.Generate(probe_request("version sleep=0.02", steps=20), timeout=120))
        assert [event.sequence for event in events] == list(range(len(events)))
        text = "".join(event.chunk.text.content for event in events if event.HasField("chunk"))
        receipt = events[-1].receipt
        assert set(text.split()) == {receipt.version}, f"{receipt.version} answered with {text}"
        return receipt.version


def deploy(running: Running) -> None:
    """What an operator does on a node of the cluster: deploy the changed file."""
    address = json.loads((running.home / "run.json").read_text())["ray_address"]
    command = [sys.executable, "-m", "sextant", "deploy", "--address", address]
    environment = {**os.environ, "PYTHONPATH": SOURCES}
    done = subprocess.run(
        [*command, "--config", str(running.home / "cluster.yaml")], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("replicas", "surge"), [(2, 0), (1, 100), (1, 0)], ids=["two", "one-and-surge", "one"])
def test_a_bundle_is_replaced_under_load_without_a_failed_request(tmp_path: Path, monkeypatch, replicas, surge):
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    bundles = tmp_path / "bundles"
    write_probe_bundle(bundles, version=_OLD)
    options = {"models": ["probe"], "implementation": "tests.probe:FAMILY", "num_cpus": 0}
    with platform({"probe": {**options, "replicas": replicas, "surge_percent": surge}}, [bundles]) as running:
        callers = Callers(running.target)
        time.sleep(5)
        write_probe_bundle(bundles, version=_NEW)
        config = yaml.safe_load((running.home / "cluster.yaml").read_text())
        config["families"]["probe"]["revision"] = _NEW
        (running.home / "cluster.yaml").write_text(yaml.safe_dump(config))
        began = time.monotonic()
        deploy(running)
        rolled_s = time.monotonic() - began
        time.sleep(3)  # in which the old ones end what they have
        at = len(callers.versions)
        time.sleep(3)
        callers.stop()
    assert not callers.failed, callers.failed[:3]
    assert callers.versions[0] == _OLD
    assert set(callers.versions[at + 6 :]) == {_NEW}, "once it is deployed, no old one answers"
    print(
        f"{replicas} replicas, surge {surge}%: {dict(Counter(callers.versions))} answers by version, rolled in "
        f"{rolled_s:.1f} s, the slowest request {callers.slowest_s:.1f} s"
    )
