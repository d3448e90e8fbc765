"""What `sextant up` leaves for the other commands: one file, valid as long as its process lives."""

import contextlib
import os
from pathlib import Path

import platformdirs
import psutil
from pydantic import BaseModel, ValidationError


class RunState(BaseModel):
    """A running platform. `started` is the supervisor's start time, so that a recycled pid is never taken for it."""

    pid: int
    started: float
    target: str
    metrics: tuple[str, ...]
    gateway_pids: tuple[int, ...]
    ray_address: str
    log_directory: Path

    def process(self) -> psutil.Process | None:
        """The supervisor, if it is still the one that wrote this."""
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.started) < 1.0 and process.status() != psutil.STATUS_ZOMBIE:
                return process
        except psutil.Error:
            pass
        return None


def state_directory() -> Path:
    """`SEXTANT_STATE_DIR`, or the user's own state directory."""
    configured = os.environ.get("SEXTANT_STATE_DIR")
    return Path(configured) if configured else platformdirs.user_state_path("sextant")


def read_state() -> RunState | None:
    """The platform that runs here; None where none does. A file whose process is gone counts as none."""
    try:
        state = RunState.model_validate_json(_path().read_bytes())
    except (OSError, ValidationError):
        return None
    return state if state.process() is not None else None


def write_state(state: RunState) -> None:
    """Leave `state` for the other commands; readable by this user only."""
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text(state.model_dump_json(indent=2))
    new.replace(path)


def remove_state() -> None:
    """The platform is gone."""
    with contextlib.suppress(FileNotFoundError):
        _path().unlink()


def _path() -> Path:
    return state_directory() / "run.json"
