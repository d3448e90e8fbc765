"""Taking down what runs, what hangs and what was left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from sextant.cli.run_state import Owned, RunState
from sextant.cli.stopping import stop

# A parent with a child that outlives it; "deaf" hears neither signal.
_PARENT = """
import signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
def leave(number, frame):
    print(signal.Signals(number).name, flush=True)
    if "orphan" not in sys.argv: child.kill()
    sys.exit()
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN if "deaf" in sys.argv else leave)
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def start():
    """Starts such a parent: its process, and its child."""
    started = []

    def run(*ways: str) -> tuple["subprocess.Popen[str]", psutil.Process]:
        parent = subprocess.Popen([sys.executable, "-c", _PARENT, *ways], stdout=subprocess.PIPE, text=True)
        child = psutil.Process(int(parent.stdout.readline()))
        started.extend([parent, child])
        return parent, child

    yield run
    for process in started:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    for process in started:
        if isinstance(process, subprocess.Popen):
            process.wait()
            process.stdout.close()


def state_of(parent: "subprocess.Popen[str]", *children: psutil.Process, serving: bool = True) -> RunState:
    me = Owned.of(parent.pid)
    return RunState(
        pid=me.pid,
        started=me.started,
        serving=serving,
        target="127.0.0.1:1",
        metrics=(),
        gateways=(),
        children=tuple(Owned.of(child.pid) for child in children),
        ray_address="",
        log_directory=Path("/"),
        stop_within_s=10.0,
    )


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(("serving", "heard"), [(True, "SIGTERM"), (False, "SIGINT")])
def test_it_is_asked_by_the_signal_that_it_heeds_then(start, serving, heard):
    parent, child = start()
    assert stop(state_of(parent, serving=serving)).message == "stopped 127.0.0.1:1"
    assert parent.stdout.read().strip() == heard
    assert gone(child)


def test_what_does_not_stop_is_killed_with_all_that_it_owns_and_this_is_said(start):
    parent, child = start("deaf")
    began = time.monotonic()
    outcome = stop(state_of(parent), within_s=0.3)
    assert "was killed" in outcome.message
    assert time.monotonic() - began < 5.0
    assert parent.wait(5) == -signal.SIGKILL
    assert gone(child)


def test_what_a_killed_supervisor_has_left_is_found_and_stopped(start):
    parent, child = start()
    state = state_of(parent, child)
    parent.kill()
    parent.wait()
    outcome = stop(state)
    assert outcome.stopped
    assert "1 processes that it left" in outcome.message
    assert gone(child)


def test_a_recycled_pid_is_never_signalled(start):
    parent, child = start()
    state = state_of(parent, child)
    aged = state.model_copy(
        update={
            "started": state.started - 100,
            "children": tuple(c.model_copy(update={"started": c.started - 100}) for c in state.children),
        }
    )
    assert not stop(aged).stopped
    assert parent.poll() is None
    assert not gone(child)


def test_this_very_process_is_its_own_by_its_start_time():
    assert Owned.of(os.getpid()).process() is not None
