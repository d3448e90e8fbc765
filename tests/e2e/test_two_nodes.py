"""Nodes of a cluster on hosts of their own: replicas that are reached over the network, and a host that is lost."""

import os
import secrets
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from sextant.client import Client, ClientError
from tests.compose.load import asking
from tests.compose.questions import QUESTIONS, answer
from tests.conftest import SOURCES
from tests.e2e.hosts import Host, network

_NODE = (sys.executable, "-m", "sextant", "node")
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

_FAMILIES = ("gan", "vae")
_CONFIG = {
    "families": {
        "gan": {"models": ["fashion-dcgan"], "intra_op_threads": 1},
        "vae": {"models": ["fashion-cvae"], "intra_op_threads": 1},
    },
    "replica_listen": "node",
    "replica_metrics_host": "0.0.0.0",
}


@dataclass(frozen=True)
class Cluster:
    """A head, two nodes with room for every family, and a gateway on a fourth host."""

    hosts: dict[str, Host]
    target: str
    seconds_to_serve: float
    logs: Path
    environment: dict[str, str]

    def worker(self, name: str) -> None:
        """Start a node with room for a replica of each family."""
        families = [part for family in _FAMILIES for part in ("--family", family)]
        head = f"{self.hosts['head'].address}:6379"
        command = [*_NODE, "worker", "--address", head, *families, "--num-cpus", "2"]
        self.hosts[name].start(command, self.environment, self.logs / f"{name}-{time.monotonic_ns()}.log")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    directory = tmp_path_factory.mktemp("nodes")
    config = directory / "cluster.yaml"
    config.write_text(yaml.safe_dump(_CONFIG))
    environment = {"PYTHONPATH": SOURCES, "RAY_AUTH_TOKEN": secrets.token_hex(32), "SEXTANT_LISTEN": "0.0.0.0:50051"}
    environment |= {"SEXTANT_STATE_DIR": str(directory), "SEXTANT_METRICS_LISTEN": "0.0.0.0:9464"}
    try:
        with network(("head", "one", "two", "front")) as hosts:
            began = time.monotonic()
            up = Cluster(hosts, f"{hosts['front'].address}:50051", 0.0, directory, environment)
            hosts["head"].start([*_NODE, "head", "--config", str(config)], environment, directory / "head.log")
            for name in ("one", "two"):
                up.worker(name)
            command = [*_NODE, "gateway", "--address", f"{hosts['head'].address}:6379"]
            hosts["front"].start(command, environment, directory / "gateway.log")
            until(lambda: serves(up.target), 300, directory)
            until(lambda: made(hosts["one"]) is not None and made(hosts["two"]) is not None, 240, directory)
            time.sleep(3.0)  # in which the gateway meets who came last
            tell(f"four hosts: the gateway had both nodes' replicas after {time.monotonic() - began:.1f} s")
            yield up
    except OSError as error:
        pytest.skip(f"no hosts here: {error}")


@pytest.fixture(scope="module")
def expected(cluster: Cluster) -> dict[str, str]:
    with Client(cluster.target) as client:
        return {family: answer(client, QUESTIONS[family]) for family in _FAMILIES}


def tell(line: str) -> None:
    """A figure: shown by `pytest -s`, and in the file that `SEXTANT_FIGURES` names."""
    print(line, flush=True)
    if path := os.environ.get("SEXTANT_FIGURES"):
        with Path(path).open("a") as figures:
            figures.write(line + "\n")


def serves(target: str) -> bool:
    try:
        with Client(target) as client:
            return client.serving(timeout=2.0)
    except ClientError:
        return False


def until(holds, timeout_s: float, logs: Path) -> float:
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > timeout_s:
            told = {log.name: log.read_text(errors="replace")[-1500:] for log in logs.glob("*.log")}
            raise AssertionError(told)
        time.sleep(0.25)
    return time.monotonic() - began


def made(host: Host) -> dict[str, float] | None:
    """Rows that the replicas on a host have stepped, by model; None while not all of them are warm."""
    found: dict[str, float] = {}
    for port in range(9500, 9500 + len(_FAMILIES)):
        try:
            with _opener.open(f"http://{host.address}:{port}/metrics", timeout=2.0) as page:
                for family in text_string_to_metric_families(page.read().decode()):
                    for sample in family.samples:
                        if sample.name == "sextant_step_rows_sum":
                            found[sample.labels["model"]] = sample.value
        except OSError:
            return None
    return found if len(found) == len(_FAMILIES) else None


def test_a_gateway_asks_the_replicas_of_both_nodes_over_the_network(cluster, expected):
    before = [made(cluster.hosts[name]) for name in ("one", "two")]
    with asking(cluster.target, {family: QUESTIONS[family] for family in _FAMILIES}, expected) as ledger:
        until(lambda: ledger.right >= 40, 120, cluster.logs)
    assert not ledger.lost
    assert not ledger.wrong
    for name, earlier in zip(("one", "two"), before, strict=True):
        now = made(cluster.hosts[name])
        assert now is not None
        assert earlier is not None
        assert all(now[model] > earlier[model] for model in now), f"{name} took its share"


def test_requests_go_on_when_a_node_is_cut_off_and_when_it_is_back(cluster, expected):
    questions = {family: QUESTIONS[family] for family in _FAMILIES}
    two = cluster.hosts["two"]
    with asking(cluster.target, questions, expected) as ledger:
        until(lambda: ledger.right >= 20, 120, cluster.logs)
        calm_s, ledger.slowest_s = ledger.slowest_s, 0.0
        two.unplug()
        right = ledger.right
        until(lambda: ledger.right >= right + 100, 120, cluster.logs)
        cut_s = ledger.slowest_s
        two.plug_in()
        two.kill()  # what Ray has given up does not come back by itself; a container would be started again
        ledger.slowest_s = 0.0
        cluster.worker("two")
        back_s = until(lambda: made(two) is not None, 240, cluster.logs)
        right = ledger.right
        until(lambda: ledger.right >= right + 20, 120, cluster.logs)
    tell(
        f"a node cut off: {ledger}; the slowest request {calm_s:.1f} s before, {cut_s:.1f} s while it was; "
        f"started again, its replicas were warm after {back_s:.1f} s"
    )
    assert not ledger.lost
    assert not ledger.wrong


def test_requests_go_on_when_all_of_a_node_is_killed(cluster, expected):
    questions = {family: QUESTIONS[family] for family in _FAMILIES}
    one = cluster.hosts["one"]
    with asking(cluster.target, questions, expected) as ledger:
        until(lambda: ledger.right >= 20, 120, cluster.logs)
        calm_s, ledger.slowest_s = ledger.slowest_s, 0.0
        one.kill()
        right = ledger.right
        until(lambda: ledger.right >= right + 100, 120, cluster.logs)
        killed_s = ledger.slowest_s
    tell(f"a node killed: {ledger}; the slowest request {calm_s:.1f} s before, {killed_s:.1f} s after")
    assert not ledger.lost
    assert not ledger.wrong
