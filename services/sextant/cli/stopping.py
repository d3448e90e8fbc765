"""Taking a platform down from outside: asking its supervisor first, and only then by force."""

import contextlib
import signal
import time
from dataclasses import dataclass

import psutil

from sextant.cli.run_state import RunState

_LEFT_BEHIND_S = 10.0
_KILLED_S = 5.0
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether anything was stopped, and what to tell of it."""

    stopped: bool
    message: str


def stop(state: RunState, within_s: float | None = None) -> Outcome:
    """Stop the platform, or what it has left behind; `within_s` overrides how long it may take in good order."""
    supervisor = state.process()
    if supervisor is None:
        return _stop_orphans(state)
    owned = _tree(supervisor)
    with contextlib.suppress(psutil.NoSuchProcess):
        # Before it serves, starting Ray keeps it from hearing SIGTERM as we mean it.
        supervisor.send_signal(signal.SIGTERM if state.serving else signal.SIGINT)
    seconds = state.stop_within_s if within_s is None else within_s
    in_order = not _alive_after([supervisor], seconds)
    if not in_order:
        owned = [*_tree(supervisor), *owned]
        _kill([supervisor])
    # What Ray started has its own sessions; it ends with its head, but let us not leave before it has.
    _kill(_alive_after(owned, _LEFT_BEHIND_S if in_order else 0.0))
    if in_order:
        return Outcome(True, f"stopped {state.target}")
    return Outcome(True, f"stopped {state.target}: it did not end within {seconds:.0f} s and was killed")


def _stop_orphans(state: RunState) -> Outcome:
    """The supervisor was killed: most of Ray ends with it, its agents and the gateways may not."""
    orphans = [process for child in state.children if (process := child.process()) is not None]
    if not orphans:
        return Outcome(False, "nothing is running")
    _kill(orphans)
    return Outcome(True, f"the platform at {state.target} was gone; stopped {len(orphans)} processes that it left")


def _tree(process: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.children(recursive=True)
    return []


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):  # psutil looks at the start time as well
            process.kill()
    _alive_after(processes, _KILLED_S)


def _alive_after(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Which of them live on, when the time is up or none does any more. A zombie has ended, whoever should reap it."""
    end = time.monotonic() + seconds
    while (alive := [process for process in processes if _lives(process)]) and time.monotonic() < end:
        time.sleep(_POLL_S)
    return alive


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
