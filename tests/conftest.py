"""What tests share: pulled models, and one running platform per test run."""

import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import psutil
import pytest
import torch
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hypothesis import settings
from transformers import BertForMaskedLM

from sextant.bundles.progress import no_progress
from sextant.bundles.store import SHIPPED_DIRECTORY, Bundle, cache_directory, open_bundle
from sextant.bundles.writer import ImportOptions
from sextant.families.importing import import_model, pull
from tests.families.transformer.encoder_checkpoint import bert_config, save
from tests.hybrids import clothes
from tests.probe import write_probe_bundle

settings.register_profile("busy machine", deadline=None)
settings.load_profile("busy machine")

ROOT = Path(__file__).parents[1]
# This checkout, whichever one is installed.
SOURCES = os.pathsep.join((str(ROOT), str(ROOT / "services")))
TEXT_MODEL, SENTENCE_MODEL = "smollm2-135m-instruct", "minilm-l6-v2"
MASKED_MODEL = "tiny-bert"


def pulled(name: str) -> Bundle:
    """A model of the catalogue, from the cache or pulled into it."""
    return pull(name, cache_directory(), no_progress)


@pytest.fixture(scope="session")
def text_model() -> Bundle:
    return pulled(TEXT_MODEL)


@pytest.fixture(scope="session")
def sentence_model() -> Bundle:
    return pulled(SENTENCE_MODEL)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass(frozen=True)
class Platform:
    """A platform that `sextant up` runs, with two gateways on one port, and two replicas of transformers and probes."""

    target: str
    metrics_urls: tuple[str, str]
    process: subprocess.Popen[bytes]
    log: Path

    def replicas(self, family: str) -> list[psutil.Process]:
        """The replica processes of a family."""
        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            try:
                if f"ServeReplica:sextant-{family}:" in " ".join(process.cmdline()):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def gateways(self) -> list[psutil.Process]:
        """The gateway processes."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if "sextant.gateway" in " ".join(child.cmdline())]

    def replica_metrics(self, family: str) -> list[str]:
        """The metrics page of each replica of a family."""
        pages = []
        for replica in self.replicas(family):
            for connection in replica.net_connections(kind="tcp"):
                if connection.status == psutil.CONN_LISTEN and 9600 <= connection.laddr.port < 9700:
                    with urllib.request.urlopen(f"http://127.0.0.1:{connection.laddr.port}/metrics") as page:
                        pages.append(page.read().decode())
        return pages

    def wait_for_replicas(self, family: str, count: int, timeout_s: float = 90.0) -> None:
        """Until `count` replicas of a family offer their metrics: they are warm then."""
        end = time.monotonic() + timeout_s
        while len(self.replica_metrics(family)) < count:
            assert time.monotonic() < end, f"{family} did not come back to {count} replicas"
            time.sleep(0.25)


def health(target: str) -> int:
    """The health that the gateway tells."""
    with grpc.insecure_channel(target) as channel:
        request = health_pb2.HealthCheckRequest()
        return health_pb2_grpc.HealthStub(channel).Check(request, timeout=2.0).status


def write_damaged_bundles(directory: Path) -> list[str]:
    """Bundles that must not be served, each for its own reason."""
    wrong_sha, truncated, outside, no_parity = (
        write_probe_bundle(directory, name) for name in ("wrong-sha", "truncated-onnx", "outside", "no-parity")
    )
    wrong_sha.file("probe.json").write_bytes(b"[]")
    onnx = b"\x08\x0a\x12\x07sextant\x3a\x80\x10"  # a graph that says it is 2 KiB long, and ends here
    (truncated.path / "model.onnx").write_bytes(onnx)
    listed = f'\n[files."model.onnx"]\nsha256 = "{hashlib.sha256(onnx).hexdigest()}"\nbytes = {len(onnx)}\n'
    edit_manifest(truncated, lambda text: text + listed)
    edit_manifest(outside, lambda text: text.replace("probe.json", "../probe/probe.json"))
    edit_manifest(no_parity, lambda text: re.sub(r"\[parity\]\n(?:\w.*\n)+", "", text))
    return ["wrong-sha", "truncated-onnx", "outside", "no-parity"]


def import_masked_model(home: Path) -> None:
    """A small encoder that fills blanks: none of the models that ship does."""
    torch.manual_seed(0)
    source = save(BertForMaskedLM(bert_config()), home / MASKED_MODEL)
    import_model(source, home / "bundles", ImportOptions(name=MASKED_MODEL))


def edit_manifest(bundle: Bundle, edit: Callable[[str], str]) -> None:
    """Rewrite a bundle's model.toml behind its back."""
    path = bundle.path / "model.toml"
    before = path.read_text()
    path.write_text(edit(before))
    assert path.read_text() != before


def shipped_models() -> dict[str, list[str]]:
    """The bundles of the package, by family."""
    found: dict[str, list[str]] = {}
    for path in sorted(SHIPPED_DIRECTORY.iterdir()):
        if path.is_dir():
            found.setdefault(open_bundle(path).manifest.family, []).append(path.name)
    return found


@pytest.fixture(scope="session")
def platform(tmp_path_factory, text_model, sentence_model) -> Iterator[Platform]:
    """The whole of Sextant as `sextant up` starts it, once for the test run."""
    home = tmp_path_factory.mktemp("platform")
    write_probe_bundle(home / "bundles")
    damaged = write_damaged_bundles(home / "bundles")
    import_masked_model(home)
    clothes.write_clothes(home / "bundles")
    shipped = shipped_models()
    shipped["hybrid"].append(clothes.REMEMBERED)
    texts = [TEXT_MODEL, SENTENCE_MODEL, MASKED_MODEL, *shipped.pop("transformer", ())]
    config = {
        "families": {
            "transformer": {"models": texts, "replicas": 2, "num_cpus": 0},
            **{family: {"models": models, "num_cpus": 0} for family, models in shipped.items()},
            # The gateways run the hybrids above; this one has a replica to itself, with all of its stages.
            "co-located": {"models": [clothes.CO_LOCATED], "implementation": "hybrid", "num_cpus": 0},
            "probe": {
                "models": ["probe", *damaged],
                "implementation": "tests.probe:FAMILY",
                "replicas": 2,
                "num_cpus": 0,
                "max_queue": 64,
                "max_unsent_events": 32,
            },
        },
        "bundle_directories": [str(home / "bundles")],
        "replica_metrics_port": 9600,
    }
    (home / "cluster.yaml").write_text(yaml.safe_dump(config))
    port, metrics_port = free_port(), free_port()
    log = home / "up.log"
    command = [sys.executable, "-m", "sextant", "up", "--config", str(home / "cluster.yaml"), "--gateways", "2"]
    environment = {**os.environ, "PYTHONPATH": SOURCES, "SEXTANT_STATE_DIR": str(home / "state")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--port", str(port), "--metrics-port", str(metrics_port)],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = Platform(
        f"127.0.0.1:{port}",
        (f"http://127.0.0.1:{metrics_port}/metrics", f"http://127.0.0.1:{metrics_port + 1}/metrics"),
        process,
        log,
    )
    try:
        _wait_until_serving(running)
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            for child in [*psutil.Process(process.pid).children(recursive=True), process]:
                child.kill()
            raise


def _wait_until_serving(running: Platform) -> None:
    end = time.monotonic() + 300
    while time.monotonic() < end:
        assert running.process.poll() is None, f"sextant up ended early:\n{running.log.read_text()[-4000:]}"
        try:
            if health(running.target) == health_pb2.HealthCheckResponse.SERVING and _all_ready(running):
                return
        except (grpc.RpcError, OSError):
            pass
        time.sleep(0.25)
    raise AssertionError(f"the platform did not come up:\n{running.log.read_text()[-4000:]}")


def _all_ready(running: Platform) -> bool:
    """Whether both gateways know of every model; the health that was asked is that of either."""
    return all("\nsextant_ready 1.0" in _page(url) for url in running.metrics_urls)


def _page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=2.0) as page:
        content: str = page.read().decode()
    return content
