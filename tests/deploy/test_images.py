"""The Dockerfiles, read by hadolint."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.places import DEPLOY, ROOT

HADOLINT = Path(sys.executable).with_name("hadolint")


@pytest.mark.skipif(not HADOLINT.exists(), reason="hadolint is not installed")
@pytest.mark.parametrize("file", [DEPLOY / "docker/Dockerfile", ROOT / "tests/compose/monitoring.Dockerfile"])
def test_hadolint_finds_nothing_to_say(file: Path):
    done = subprocess.run([HADOLINT, file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dependencies_of_the_image_are_those_of_serving_and_torch_is_not_among_them():
    script = DEPLOY / "docker/dependencies.py"

    def required(*extra: str) -> list[str]:
        command = [sys.executable, script, ROOT / "pyproject.toml", *extra]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    assert any(line.startswith("ray[serve]==") for line in required())
    assert not any("torch" in line for line in required())
    assert any("onnxruntime-gpu[cuda,cudnn]" in line for line in required("cuda"))
