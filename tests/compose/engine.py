"""The Docker engine of this machine, where one runs, and images on it where none can be pulled."""

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PULLED_BASE = "debian:bookworm-slim"
_MADE_BASE = "sextant-base:bookworm"
_PULL_S = 60
_BUILD_S = 3600


class Unusable(Exception):
    """What the test needs is not here; says what."""


@functools.cache
def docker() -> str:
    """The client: the first of those that can build, since a new one without its buildx cannot. Raises `Unusable`."""
    found = [path for path in (shutil.which("docker"), "/usr/bin/docker") if path and Path(path).exists()]
    for path in found:
        if _ok([path, "build", "--help"], DOCKER_BUILDKIT="1"):
            return path
    raise Unusable(f"no docker client that builds with BuildKit (found: {', '.join(found) or 'none'})")


@functools.cache
def compose() -> tuple[str, ...]:
    """The command line of Compose, v2 or v1. Raises `Unusable`."""
    if _ok([docker(), "compose", "version"]):
        return (docker(), "compose")
    if shutil.which("docker-compose"):
        return ("docker-compose",)
    raise Unusable("neither docker compose nor docker-compose is installed")


def check() -> None:
    """Raises `Unusable` where no engine answers."""
    done = subprocess.run([docker(), "info", "--format", "{{.ServerVersion}}"], capture_output=True, text=True)
    if done.returncode != 0:
        raise Unusable(f"no Docker engine answers: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    compose()


def base_image() -> str:
    """A Debian 12: what `SEXTANT_BASE` names, one that is here or can be pulled, or one made by debootstrap."""
    if given := os.environ.get("SEXTANT_BASE"):
        return given
    for name in (_PULLED_BASE, _MADE_BASE):
        if _ok([docker(), "image", "inspect", name]):
            return name
    if _ok([docker(), "pull", "--quiet", _PULLED_BASE], timeout=_PULL_S):
        return _PULLED_BASE
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        raise Unusable(f"{_PULLED_BASE} cannot be pulled, and only root with debootstrap can make one like it")
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(["debootstrap", "--variant=minbase", "bookworm", directory], check=True, capture_output=True)
        packed = subprocess.Popen(["tar", "--one-file-system", "-C", directory, "-c", "."], stdout=subprocess.PIPE)
        subprocess.run([docker(), "import", "-", _MADE_BASE], stdin=packed.stdout, check=True, capture_output=True)
        packed.wait()
    return _MADE_BASE


def build(dockerfile: str, target: str, tag: str, context: Path = ROOT, **arguments: str) -> None:
    """Build an image, with this machine's own settings for pip's index and its certificates as build secrets."""
    with tempfile.TemporaryDirectory() as directory:
        settings = Path(directory) / "pip"
        settings.write_text(_pip_settings())
        command = [docker(), "build", "--network", "host", "--file", str(ROOT / dockerfile), "--target", target]
        command += ["--tag", tag, "--secret", f"id=pip,src={settings}"]
        certificates = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
        if certificates and Path(certificates).exists():
            command += ["--secret", f"id=ca,src={certificates}"]
        for name, value in arguments.items():
            command += ["--build-arg", f"{name}={value}"]
        environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
        done = subprocess.run(
            [*command, str(context)], env=environment, capture_output=True, text=True, timeout=_BUILD_S
        )
        assert done.returncode == 0, done.stderr[-4000:]


def size_mb(tag: str) -> float:
    """How large an image is, with its base."""
    done = subprocess.run(
        [docker(), "image", "inspect", "--format", "{{.Size}}", tag], capture_output=True, text=True, check=True
    )
    return int(done.stdout) / 1e6


def _pip_settings() -> str:
    """pip's settings here, as far as they hold in a build: which indexes it asks, not its local directories."""
    listed = subprocess.run(["python3", "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
    lines = ["[global]"]
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        urls = [url for url in value.strip("'\"").replace("\\n", " ").split() if url.startswith(("https:", "http:"))]
        if name.endswith(("index-url", "find-links")) and urls:
            lines.append(f"{name.split('.')[-1]} = {' '.join(urls)}")
        elif name.endswith(("trusted-host", "timeout")):
            lines.append(f"{name.split('.')[-1]} = {value.strip(chr(39))}")
    return "\n".join(lines) + "\n"


def _ok(command: list[str], timeout: float = 30, **environment: str) -> bool:
    try:
        done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, timeout=timeout)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
