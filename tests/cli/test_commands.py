"""The command line as a user has it: its own process, its output, its exit code."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest

from sextant.cli.run_state import RunState, read_state, write_state
from tests.client.conftest import target  # noqa: F401 - the gateway that commands talk to


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


def test_text_is_printed_as_it_is(sextant):
    done = sextant("generate", "text", "go", "--model", "probe", "--max-tokens", "3", "--seed", "1")
    assert done.code == 0
    assert len(done.out.split()) == 3


def test_json_is_a_line_an_event_and_the_receipt_is_last(sextant):
    done = sextant("generate", "text", "go", "--model", "probe", "--max-tokens", "3", "--json")
    events = [json.loads(line) for line in done.out.splitlines()]
    assert "accepted" in events[0]
    assert events[-1]["receipt"]["model"] == "probe"


def test_a_wrong_value_is_one_plain_line_that_names_the_field(sextant):
    done = sextant("generate", "text", "go", "--model", "probe", "--temperature", "-1")
    assert done.code == 1
    assert done.out == ""
    assert done.err == "sextant: text.temperature: must be from 0 to 10, not -1\n"


def test_wrong_usage_is_exit_code_two(sextant):
    assert sextant("generate", "text").code == 2
    assert sextant("dance").code == 2


def test_vectors_come_as_json(sextant):
    done = sextant("encode", "a", "b", "--model", "probe", "--json")
    assert [len(row["vector"]) for row in json.loads(done.out)] == [4, 4]


def test_ranking_puts_the_nearest_first(sextant):
    done = sextant("encode", "a", "b", "--rank", "a", "--model", "probe", "--json")
    assert {"text", "vector", "similarity"} == set(json.loads(done.out)[0])


def test_a_chat_answers_line_by_line(sextant):
    done = sextant("chat", "--model", "probe", "--max-tokens", "2", "--json", stdin="hello\n/reset\nagain\n")
    assert [set(json.loads(line)) for line in done.out.splitlines()] == [{"answer"}, {"answer"}]


def test_a_route_that_does_not_exist_is_explained_and_exit_code_one(sextant):
    done = sextant("route", "--task", "generate", "--output", "image", "--priority", "speed", "--json")
    assert done.code == 1
    assert json.loads(done.out)["rule"].startswith("image-speed")


def test_status_without_a_platform_says_how_to_start_one(sextant):
    done = sextant("status", SEXTANT_TARGET="")
    assert done.code == 1
    assert "sextant up" in done.out


def test_status_of_a_target_lists_its_models(sextant):
    told = json.loads(sextant("status", "--json").out)
    assert told["serving"] is True
    assert [model["name"] for model in told["models"]] == ["probe"]


def test_no_gateway_is_said_plainly(sextant):
    done = sextant("score", "x", "--target", "127.0.0.1:1", "--timeout", "3")
    assert done.code == 1
    assert "sextant up" in done.err


def test_down_without_a_platform_does_nothing(sextant):
    done = sextant("down")
    assert (done.code, done.out) == (0, "nothing is running\n")


def test_up_refuses_a_port_that_is_taken_before_it_starts_anything(sextant, target):  # noqa: F811
    done = sextant("up", "--no-pull", "--port", target.rpartition(":")[2])
    assert done.code == 1
    assert "cannot listen on" in done.err


def test_up_refuses_a_wrong_configuration_by_its_setting(sextant, tmp_path):
    config = tmp_path / "cluster.yaml"
    config.write_text("families: {transformer: {models: [x], num_gpus: 1}}")
    done = sextant("up", "--no-pull", "--config", str(config))
    assert done.code == 1
    assert "families.transformer" in done.err


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("SEXTANT_STATE_DIR", str(tmp_path))
    me = psutil.Process()
    return RunState(
        pid=me.pid,
        started=me.create_time(),
        target="127.0.0.1:1",
        metrics=(),
        gateway_pids=(),
        ray_address="",
        log_directory=tmp_path,
    )


def test_a_state_is_read_back_and_private(state, tmp_path):
    write_state(state)
    assert read_state() == state
    assert (tmp_path / "run.json").stat().st_mode & 0o077 == 0


def test_a_recycled_pid_is_never_taken_for_the_platform(state):
    write_state(state.model_copy(update={"started": state.started - 100}))
    assert read_state() is None


def test_a_dead_pid_counts_as_nothing_running(state):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    write_state(state.model_copy(update={"pid": gone.pid}))
    assert read_state() is None
