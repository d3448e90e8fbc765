"""Hosts of a network of their own on this machine: network namespaces on a bridge, each with its name and its /tmp/ray.

Needs root and iproute2. A host can be unplugged, which is how a machine is lost: nobody on the other side is told.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_NET = "10.77.{}.{}"
_OUTSIDE = 254


class Host:
    """One namespace. Its address is its name too, so that programs which ask for their host's address get it."""

    def __init__(self, name: str, address: str) -> None:
        self.name, self.address = name, address
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
        """Run a command here, until the host ends."""
        script = 'hostname "$0" && mkdir -p /tmp/ray && mount -t tmpfs tmpfs /tmp/ray && exec "$@"'
        inside = ["ip", "netns", "exec", self.name, "unshare", "--uts", "--mount", "sh", "-c", script, self.address]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*inside, *command], env={**os.environ, **environment}, stdout=output, stderr=output
            )
        self._started.append(process)
        return process

    def unplug(self) -> None:
        """Cut the host off; it runs on, and nothing goes in or out."""
        _ip("link", "set", f"{self.name}-out", "down")

    def plug_in(self) -> None:
        """Join it again."""
        _ip("link", "set", f"{self.name}-out", "up")

    def processes(self) -> list[int]:
        """The ids of all that runs here: this namespace is ours alone."""
        done = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=True)
        return [int(pid) for pid in done.stdout.split()]

    def kill(self) -> None:
        """As if the power were gone, except that the kernel still hangs up for the dead."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """End what was started here, in order where that is heeded."""
        for process in self._started:
            process.send_signal(signal.SIGTERM)
        end = time.monotonic() + 45
        while self.processes() and time.monotonic() < end:
            time.sleep(0.2)
        self.kill()
        for process in self._started:
            process.wait(10)


@contextlib.contextmanager
def network(names: Sequence[str]) -> Iterator[dict[str, Host]]:
    """Hosts of these names that reach one another and this machine. OSError where they cannot be had."""
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("unshare"):
        raise OSError("network namespaces need root and iproute2")
    tag = f"sx{os.getpid() % 10000}"
    net = os.getpid() % 200
    bridge = f"{tag}br"
    found: dict[str, Host] = {}
    try:
        _ip("link", "add", bridge, "type", "bridge")
        _ip("addr", "add", f"{_NET.format(net, _OUTSIDE)}/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        for number, name in enumerate(names, 1):
            host = Host(f"{tag}{number}", _NET.format(net, number))
            _ip("netns", "add", host.name)
            found[name] = host
            _ip("link", "add", f"{host.name}-out", "type", "veth", "peer", "name", "eth0", "netns", host.name)
            _ip("link", "set", f"{host.name}-out", "master", bridge, "up")
            _ip("-n", host.name, "addr", "add", f"{host.address}/24", "dev", "eth0")
            _ip("-n", host.name, "link", "set", "eth0", "up")
            _ip("-n", host.name, "link", "set", "lo", "up")
        yield found
    finally:
        for host in reversed(found.values()):
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                host.stop()
            with contextlib.suppress(OSError):
                _ip("netns", "del", host.name)
        with contextlib.suppress(OSError):
            _ip("link", "del", bridge)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
