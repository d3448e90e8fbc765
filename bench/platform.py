"""A platform for measuring: `sextant up` on free loopback ports, taken down afterwards."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml

from sextant.client import Client, ClientError

ROOT = Path(__file__).parents[1]
# This checkout, whichever one is installed.
SOURCES = os.pathsep.join((str(ROOT), str(ROOT / "services")))


@dataclass(frozen=True)
class Running:
    """Where it listens, its processes, and the directory of its `cluster.yaml`, its log and what `up` leaves there."""

    target: str
    supervisor: psutil.Process
    home: Path

    def processes(self, marker: str) -> list[psutil.Process]:
        """The processes whose command line holds `marker`."""
        return [p for p in self.supervisor.children(recursive=True) if marker in " ".join(p.cmdline())]


@contextmanager
def platform(families: dict[str, object], bundle_directories: list[Path] | None = None) -> Iterator[Running]:
    """Run a platform with these families, as deploy/cluster.yaml spells them."""
    with tempfile.TemporaryDirectory() as home:
        config = Path(home) / "cluster.yaml"
        directories = [str(directory) for directory in bundle_directories or []]
        config.write_text(yaml.safe_dump({"families": families, "bundle_directories": directories}))
        port, metrics = free_port(), free_port()
        command = [sys.executable, "-m", "sextant", "up", "--config", str(config), "--port", str(port)]
        environment = {**os.environ, "PYTHONPATH": SOURCES, "SEXTANT_STATE_DIR": home}
        with (Path(home) / "up.log").open("wb") as log:
            process = subprocess.Popen(
                [*command, "--metrics-port", str(metrics)], env=environment, stdout=log, stderr=log
            )
        try:
            wait_until_serving(f"127.0.0.1:{port}", process, Path(home) / "up.log")
            yield Running(f"127.0.0.1:{port}", psutil.Process(process.pid), Path(home))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(90)


def wait_until_serving(target: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until every model is warm. RuntimeError with the end of the log where that never is."""
    end = time.monotonic() + 280
    with Client(target) as client:
        while process.poll() is None and time.monotonic() < end:
            try:
                if client.serving(timeout=2.0):
                    return
            except ClientError:
                pass
            time.sleep(0.2)
    raise RuntimeError(f"the platform did not come up:\n{log.read_text()[-2000:]}")


def free_port() -> int:
    """A port of the loopback interface that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
