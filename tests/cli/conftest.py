"""Gateways that serve shipped models, and commands run against them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner, Result

from sextant.bundles.store import SHIPPED_DIRECTORY
from sextant.cli.app import app
from sextant.client import ClientError
from sextant.contract.errors import SextantError
from tests.client.conftest import serving, target  # noqa: F401 - the gateway that commands talk to


def run(*arguments: object) -> Result:
    """A command, in this process. What it fails with is what `sextant` prints at its end, see `terminal.complain`."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert isinstance(result.exception, SystemExit | ClientError | SextantError | None), result.exception
    return result


def done(*arguments: object) -> Result:
    """A command that must succeed."""
    result = run(*arguments)
    assert result.exit_code == 0, (result.output, getattr(result.exception, "fields", result.exception))
    return result


def told(result: Result) -> str:
    """All that a failed command says, on one line."""
    fields = [f"{one.field}: {one.description}" for one in getattr(result.exception, "fields", ())]
    return " ".join(f"{result.output} {result.exception} {' '.join(fields)}".replace("│", " ").split())


@pytest.fixture(scope="package")
def vae() -> Iterator[str]:
    with serving("sextant.families.vae:FAMILY", "fashion-vae", SHIPPED_DIRECTORY) as address:
        yield address


@pytest.fixture(scope="package")
def glow() -> Iterator[str]:
    with serving("sextant.families.flow:FAMILY", "fashion-glow", SHIPPED_DIRECTORY) as address:
        yield address


@pytest.fixture(scope="package")
def moons() -> Iterator[str]:
    with serving("sextant.families.flow:FAMILY", "moons-realnvp", SHIPPED_DIRECTORY) as address:
        yield address


@pytest.fixture(scope="package")
def faces() -> Iterator[str]:
    with serving("sextant.families.gan:FAMILY", "faces-stylegan", SHIPPED_DIRECTORY) as address:
        yield address


@pytest.fixture(scope="package")
def emoji() -> Iterator[str]:
    with serving("sextant.families.gan:FAMILY", "emoji-cyclegan", SHIPPED_DIRECTORY) as address:
        yield address


@pytest.fixture
def sextant(tmp_path, target):  # noqa: F811
    def run(*arguments: str, stdin: str = "", **environment: str) -> SimpleNamespace:
        done = subprocess.run(
            [sys.executable, "-m", "sextant", *arguments],
            env={**os.environ, "SEXTANT_TARGET": target, "SEXTANT_STATE_DIR": str(tmp_path), **environment},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert "Traceback" not in done.stderr
        return SimpleNamespace(code=done.returncode, out=done.stdout, err=done.stderr)

    return run
