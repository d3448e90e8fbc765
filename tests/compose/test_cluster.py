"""docker-compose.yml for real: its containers, requests from outside, and what goes wrong in production.

`make compose-test` runs this, and shows the figures; without a Docker engine it is skipped, and says why.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sextant.client import Client
from tests.compose import engine
from tests.compose.cluster import FAMILIES, Cluster, running, serves, until
from tests.compose.load import Ledger, asking
from tests.compose.questions import QUESTIONS, STORY, answer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

_BACK_S = 300.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    try:
        with running(tmp_path_factory.mktemp("cluster")) as up:
            for image in ("sextant", "sextant-prometheus"):
                tell(f"{image}: {engine.size_mb(f'{image}:compose-test'):.0f} MB")
            tell(f"{3 + len(FAMILIES)} containers: both gateways served {up.seconds_to_serve:.1f} s after `up`")
            yield up
    except engine.Unusable as error:
        pytest.skip(f"no cluster of containers here: {error}")


@pytest.fixture(scope="module")
def expected(cluster: Cluster) -> dict[str, str]:
    """The answers before anything goes wrong."""
    with Client(cluster.targets[0]) as client:
        return {name: answer(client, question) for name, question in {**QUESTIONS, "story": STORY}.items()}


def tell(line: str) -> None:
    """A figure: on stdout, which `make compose-test` shows, and in the file that `SEXTANT_FIGURES` names."""
    print(line, flush=True)
    if path := os.environ.get("SEXTANT_FIGURES"):
        with Path(path).open("a") as figures:
            figures.write(line + "\n")


def nothing_lost(ledger: Ledger) -> None:
    assert ledger.right > 0
    assert not ledger.lost, ledger.lost
    assert not ledger.wrong, ledger.wrong


def family_runs(cluster: Cluster, family: str) -> bool:
    """Whether both gateways see a replica of a family."""
    samples = cluster.query(f'sextant_served_models{{family="{family}"}}')
    return len(samples) == 2 and all(float(sample["value"][1]) > 0 for sample in samples)


def test_every_family_answers_from_outside_and_both_gateways_say_the_same(cluster, expected):
    with Client(cluster.targets[1]) as client:
        again = {name: answer(client, question) for name, question in {**QUESTIONS, "story": STORY}.items()}
    assert again == expected
    assert len(set(expected.values())) == len(expected)


def test_prometheus_scrapes_every_gateway_and_every_replica(cluster):
    def all_up() -> bool:
        jobs = [job for (job, _), health in cluster.scraped().items() if health == "up"]
        counts = (jobs.count("sextant-gateways"), jobs.count("sextant-replicas"), jobs.count("alertmanager"))
        return counts == (2, len(FAMILIES), 1) and set(cluster.scraped().values()) == {"up"}

    until(all_up, 120, cluster.scraped)
    until(lambda: len(cluster.query("family:sextant_slots:sum")) == len(FAMILIES), 60)
    tell(f"Prometheus: {len(cluster.scraped())} targets, all up")


def test_containers_are_nobody_and_write_nowhere_but_to_their_volumes(cluster):
    for service in ("head", *FAMILIES, "gateway-1"):
        (container, *_) = cluster.containers(service)
        told = cluster.inspect(container)
        assert told["Config"]["User"] == "10001:10001"
        assert told["HostConfig"]["ReadonlyRootfs"]
        assert told["HostConfig"]["CapDrop"] == ["ALL"]
        assert told["HostConfig"]["Memory"] > 0
        secrets = [variable for variable in told["Config"]["Env"] if variable.startswith("RAY_AUTH_TOKEN=")]
        assert not secrets, "the token travels by file"
    assert "torch" not in cluster.docker("exec", container, "ls", "/opt/sextant/lib/python3.11/site-packages").split()


def test_another_worker_is_another_replica_and_a_killed_one_loses_and_changes_no_answer(cluster, expected):
    cluster.compose("up", "-d", "--no-build", "--no-recreate", "--scale", "gan=2", "gan")
    took = until(lambda: len(cluster.query('up{job="sextant-replicas",family="gan"} == 1')) == 2, _BACK_S)
    tell(f"a second worker of a family: its replica was warm and scraped after {took:.1f} s")
    with asking(cluster.either, QUESTIONS, expected) as ledger:
        until(lambda: ledger.right >= 12, 120)
        victim = cluster.containers("gan")[0]
        cluster.crash(victim)
        took = until(lambda: len(cluster.query('up{job="sextant-replicas",family="gan"} == 1')) == 1, 120)
        took += until(lambda: len(cluster.query('up{job="sextant-replicas",family="gan"} == 1')) == 2, _BACK_S)
    tell(f"a worker of two killed: {ledger}; it was back after {took:.1f} s")
    nothing_lost(ledger)
    assert cluster.inspect(victim)["RestartCount"] >= 1


def test_the_only_worker_of_a_family_killed_keeps_its_callers_waiting_and_answers_them(cluster, expected):
    with asking(cluster.either, QUESTIONS, expected) as ledger:
        until(lambda: ledger.right >= 12, 120)
        cluster.crash(cluster.containers("diffusion")[0])
        until(lambda: not family_runs(cluster, "diffusion"), 120)
        took = until(lambda: family_runs(cluster, "diffusion"), _BACK_S)
    tell(f"the only worker of a family killed: {ledger}; its family was away for {took:.1f} s as scraped")
    nothing_lost(ledger)


def test_a_worker_that_hangs_loses_no_answer(cluster, expected):
    (paused,) = cluster.containers("vae")
    with asking(cluster.either, QUESTIONS, expected) as ledger:
        until(lambda: ledger.right >= 12, 120)
        cluster.docker("pause", paused)
        try:
            noticed = until(lambda: not family_runs(cluster, "vae"), 180)
        finally:
            cluster.docker("unpause", paused)
        took = until(lambda: family_runs(cluster, "vae"), _BACK_S)
    tell(
        f"the only worker of a family paused: {ledger}; noticed after {noticed:.1f} s, back {took:.1f} s after unpause"
    )
    nothing_lost(ledger)


def test_a_gateway_restarts_under_load_and_nobody_loses_an_answer(cluster, expected):
    with asking(cluster.either, {**QUESTIONS, "story": STORY}, expected) as ledger:
        until(lambda: ledger.right >= 12, 120)
        cluster.compose("restart", "--timeout", "60", "gateway-1")
        took = until(lambda: serves(cluster.targets[0]), _BACK_S)
    tell(f"a gateway restarted: {ledger}; it served {took:.1f} s after it was down")
    nothing_lost(ledger)


def test_the_alert_of_a_family_without_replica_fires_and_resolves(cluster):
    def active(state: str = "firing") -> list[dict[str, object]]:
        alert = f'ALERTS{{alertname="FamilyWithoutReplica",family="flow",alertstate="{state}"}}'
        return cluster.query(alert)

    def told() -> list[dict[str, object]]:
        return [
            alert
            for alert in cluster.alerts()
            if (alert["labels"]["alertname"], alert["labels"].get("family")) == ("FamilyWithoutReplica", "flow")
        ]

    assert not active()
    assert not told()
    cluster.compose("stop", "flow")
    try:
        took = until(active, 180) + until(told, 60)
        tell(f"alert FamilyWithoutReplica: at Alertmanager {took:.1f} s after the worker was stopped")
        assert "runbook_url" in told()[0]["annotations"]
    finally:
        cluster.compose("start", "flow")
    took = until(lambda: not active(), _BACK_S) + until(lambda: not told(), 360)
    tell(f"alert FamilyWithoutReplica: resolved {took:.1f} s after the worker was started")
