"""What `sextant up` leaves for the other commands: one file, valid as long as its process lives."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import filelock
import platformdirs
import psutil
from pydantic import BaseModel, ValidationError

from sextant.contract.errors import SextantError


class Owned(BaseModel):
    """A process. `started` is its start time, so that a recycled pid is never taken for it."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> "Owned":
        """The process that has this pid now. psutil's `NoSuchProcess` where none has."""
        return cls(pid=pid, started=psutil.Process(pid).create_time())

    def process(self) -> psutil.Process | None:
        """The process, if it is still the one that was meant."""
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.started) < 1.0 and process.status() != psutil.STATUS_ZOMBIE:
                return process
        except psutil.Error:
            pass
        return None


class RunState(Owned):
    """A platform, by its supervisor; not yet `serving` while it starts."""

    serving: bool
    target: str
    metrics: tuple[str, ...]
    gateways: tuple[Owned, ...]
    # All that it had started when this was written, gateways too: what may outlive it if it is killed.
    children: tuple[Owned, ...]
    ray_address: str
    log_directory: Path
    # How long running requests and the way down may take, in seconds.
    stop_within_s: float


def state_directory() -> Path:
    """`SEXTANT_STATE_DIR`, or the user's own state directory."""
    configured = os.environ.get("SEXTANT_STATE_DIR")
    return Path(configured) if configured else platformdirs.user_state_path("sextant")


def read_state() -> RunState | None:
    """The platform that runs or starts here; None where none does. A file whose process is gone counts as none."""
    state = last_state()
    return state if state is not None and state.process() is not None else None


def last_state() -> RunState | None:
    """What was left last, whether its process lives or not: it may have left gateways behind."""
    try:
        return RunState.model_validate_json(_path().read_bytes())
    except (OSError, ValidationError):
        return None


def write_state(state: RunState) -> None:
    """Leave `state` for the other commands; readable by this user only."""
    path = _path()
    new = path.with_suffix(".new")
    _make_private(path.parent)
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    new.touch(mode=0o600)
    new.write_text(state.model_dump_json(indent=2))
    new.replace(path)


def remove_state() -> None:
    """The platform is gone."""
    with contextlib.suppress(FileNotFoundError):
        _path().unlink()


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Held while a platform starts, runs and stops: two would write one file. The lock ends with its process."""
    _make_private(state_directory())
    lock = filelock.FileLock(state_directory() / "up.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise SextantError("another `sextant up` is starting, running or stopping here") from None
    try:
        yield
    finally:
        lock.release()


def _make_private(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)


def _path() -> Path:
    return state_directory() / "run.json"
