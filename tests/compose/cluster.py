"""The containers of docker-compose.yml, brought up for a test run under a project name of their own."""

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sextant.client import Client, ClientError
from tests.compose import engine
from tests.conftest import free_port

FAMILIES = ("transformer", "gan", "vae", "flow", "diffusion", "autoregressive")
_PROJECT = "sextant-compose-test"
_SERVICES = ("head", *FAMILIES, "gateway-1", "gateway-2", "prometheus", "alertmanager")
_UP_S = 600.0
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Cluster:
    """A cluster that is up. `targets` are its gateways as they are reached from outside."""

    targets: tuple[str, str]
    prometheus: str
    alertmanager: str
    environment: dict[str, str]
    seconds_to_serve: float

    @property
    def either(self) -> str:
        """Both gateways as one target: gRPC takes the second where the first does not answer."""
        return f"ipv4:{','.join(self.targets)}"

    def compose(self, *arguments: str) -> str:
        """What a Compose command prints."""
        return _compose(self.environment, *arguments)

    def containers(self, service: str) -> list[str]:
        """The ids of a service's containers."""
        return self.compose("ps", "-q", service).split()

    def inspect(self, container: str) -> dict[str, Any]:
        """All that the engine knows of a container."""
        done = subprocess.run([engine.docker(), "inspect", container], capture_output=True, text=True, check=True)
        told: list[dict[str, Any]] = json.loads(done.stdout)
        return told[0]

    def docker(self, *arguments: str) -> str:
        """What a command of the engine's client prints."""
        done = subprocess.run([engine.docker(), *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def crash(self, container: str) -> None:
        """End a container's first process from outside, as the kernel would for want of memory; it is restarted."""
        if os.geteuid() == 0:
            os.kill(self.inspect(container)["State"]["Pid"], signal.SIGKILL)
        else:  # the engine takes this for an order to stop, and would not start it again
            self.docker("kill", container)
            self.docker("start", container)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant query."""
        told = _json(f"{self.prometheus}/api/v1/query?query={urllib.request.quote(expression)}")
        samples: list[dict[str, Any]] = told["data"]["result"]
        return samples

    def scraped(self) -> dict[tuple[str, str], str]:
        """The health of every target of Prometheus, by job and instance."""
        told = _json(f"{self.prometheus}/api/v1/targets?state=active")
        return {(t["labels"]["job"], t["labels"]["instance"]): t["health"] for t in told["data"]["activeTargets"]}

    def alerts(self) -> list[dict[str, Any]]:
        """What Alertmanager holds as active."""
        told: list[dict[str, Any]] = _json(f"{self.alertmanager}/api/v2/alerts?active=true&silenced=false")
        return told


@contextmanager
def running(directory: Path) -> Iterator[Cluster]:
    """Build the images, bring all containers up until both gateways serve, and take all away afterwards.

    Raises `Unusable` where this machine cannot. With `SEXTANT_KEEP_CLUSTER` set the containers stay.
    """
    engine.check()
    base = engine.base_image()
    models = os.environ.get("SEXTANT_MODELS", "smollm2-135m-instruct minilm-l6-v2")
    engine.build("deploy/docker/Dockerfile", "serving", "sextant:compose-test", BASE=base, MODELS=models)
    for name in ("prometheus", "alertmanager"):
        engine.build("tests/compose/monitoring.Dockerfile", name, f"sextant-{name}:compose-test", BASE=base)
    ports = {name: str(free_port()) for name in ("SEXTANT_PORT_1", "SEXTANT_PORT_2", "PROMETHEUS", "ALERTMANAGER")}
    environment = {
        **os.environ,
        "COMPOSE_PROJECT_NAME": _PROJECT,
        "SEXTANT_SECRETS": str(directory / "secrets"),
        "SEXTANT_IMAGE": "sextant:compose-test",
        "PROMETHEUS_IMAGE": "sextant-prometheus:compose-test",
        "ALERTMANAGER_IMAGE": "sextant-alertmanager:compose-test",
        "SEXTANT_PORT_1": ports["SEXTANT_PORT_1"],
        "SEXTANT_PORT_2": ports["SEXTANT_PORT_2"],
        "PROMETHEUS_PORT": ports["PROMETHEUS"],
        "ALERTMANAGER_PORT": ports["ALERTMANAGER"],
    }
    subprocess.run([engine.ROOT / "deploy/secrets.sh"], env=environment, check=True, capture_output=True)
    began = time.monotonic()
    try:
        _compose(environment, "up", "-d", "--no-build", *_SERVICES)
        targets = (f"127.0.0.1:{ports['SEXTANT_PORT_1']}", f"127.0.0.1:{ports['SEXTANT_PORT_2']}")
        for target in targets:
            until(lambda at=target: serves(at), _UP_S, lambda: _compose(environment, "logs", "--tail", "40"))
        yield Cluster(
            targets,
            f"http://127.0.0.1:{ports['PROMETHEUS']}",
            f"http://127.0.0.1:{ports['ALERTMANAGER']}",
            environment,
            time.monotonic() - began,
        )
    finally:
        if not os.environ.get("SEXTANT_KEEP_CLUSTER"):
            _compose(environment, "down", "--volumes", "--timeout", "40")


def serves(target: str) -> bool:
    """Whether a gateway says that every model is warm."""
    try:
        with Client(target) as client:
            return client.serving(timeout=2.0)
    except ClientError:
        return False


def until(holds: Callable[[], object], timeout_s: float, account: Callable[[], object] = str) -> float:
    """How many seconds it took until something holds. Fails with an account of how things stand where it never does."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < timeout_s, account()
        time.sleep(0.25)
    return time.monotonic() - began


def _compose(environment: dict[str, str], *arguments: str) -> str:
    command: Sequence[str] = (*engine.compose(), "-f", str(engine.ROOT / "docker-compose.yml"), *arguments)
    done = subprocess.run(command, env=environment, cwd=engine.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr[-3000:]}"
    return done.stdout


def _json(url: str) -> Any:
    with _opener.open(url, timeout=10) as page:
        return json.load(page)
