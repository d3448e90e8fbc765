"""The command line as a user has it: its own process, its output, its exit code."""

import json
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from sextant.cli.encode import _cosine
from sextant.cli.run_state import RunState, read_state, write_state
from sextant.cli.terminal import print_json
from sextant.contract.events import Estimator, Likelihood


@pytest.fixture
def start(tmp_path, target):
    """Starts a command and leaves it running."""
    started = []

    def run(*arguments: str) -> "subprocess.Popen[bytes]":
        # Where the tests run in the background of a shell, Ctrl-C is ignored, and children would inherit that.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "sextant", *arguments],
                env={**os.environ, "SEXTANT_TARGET": target, "SEXTANT_STATE_DIR": str(tmp_path)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
            )
        finally:
            signal.signal(signal.SIGINT, before)
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            pipe.close()


def test_text_is_printed_as_it_is(sextant):
    done = sextant("generate", "text", "go", "--model", "probe", "--max-tokens", "3", "--seed", "1")
    assert done.code == 0
    assert len(done.out.split()) == 3


def test_json_is_a_line_an_event_and_the_receipt_is_last(sextant):
    done = sextant("generate", "text", "go", "--model", "probe", "--max-tokens", "3", "--json")
    events = [json.loads(line) for line in done.out.splitlines()]
    assert "accepted" in events[0]
    assert [int(event["sequence"]) for event in events] == list(range(len(events)))
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


def test_ranking_puts_the_nearest_by_cosine_first(sextant):
    texts = ["a", "b", "c", "d"]
    rows = json.loads(sextant("encode", *texts, "--rank", "a", "--model", "probe", "--json").out)
    similarities = [row["similarity"] for row in rows]
    assert similarities == sorted(similarities, reverse=True)
    assert all(-1.0 <= similarity <= 1.0 for similarity in similarities)
    assert {row["text"] for row in rows} == set(texts)


def test_cosine_of_known_vectors_is_exact():
    vectors = np.array([[3.0, 0.0], [0.0, 2.0], [-5.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    expected = [1.0, 0.0, -1.0, 0.0, math.sqrt(0.5)]
    assert _cosine(vectors, np.array([7.0, 0.0])) == pytest.approx(expected)


def test_vectors_are_written_in_the_order_of_the_texts(sextant, tmp_path):
    done = sextant("encode", "a", "b", "--model", "probe", "--out", str(tmp_path / "v.npy"), "--json")
    assert np.load(tmp_path / "v.npy").tolist() == pytest.approx(
        np.array([row["vector"] for row in json.loads(done.out)], np.float32)
    )


def test_a_chat_answers_line_by_line(sextant):
    lines = 'hello\n/reset\n"two\\nlines"\n"Hi" she said\n'
    done = sextant("chat", "--model", "probe", "--max-tokens", "2", "--json", stdin=lines)
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert [set(answer) for answer in answers] == [{"answer", "finish_reason", "receipt"}] * 3
    assert all(len(answer["answer"].split()) == 2 for answer in answers)


def test_a_chat_goes_on_after_an_error(sextant):
    done = sextant("chat", "--model", "nonesuch", "--json", stdin="hello\nagain\n")
    assert [json.loads(line)["reason"] for line in done.out.splitlines()] == ["MODEL_NOT_FOUND"] * 2


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["generate", "text", "x", "--seed", "-1"], "options.seed"),
        (["generate", "text", "x", "--max-tokens", "-1"], "text.max_tokens"),
        (["generate", "text", os.fsdecode(b"\xff")], "prompt"),
        (["generate", "text", "x", "--model", os.fsdecode(b"\xff")], "options.model"),
        (["encode", "x", os.fsdecode(b"\xff")], "items[1]"),
    ],
)
def test_what_cannot_even_be_sent_is_one_plain_line_that_names_the_field(sextant, arguments, field):
    done = sextant(*arguments)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"sextant: {field}: ")
    assert done.err.count("\n") == 1


def test_a_file_that_cannot_be_written_is_one_plain_line(sextant, tmp_path):
    done = sextant("encode", "a", "--model", "probe", "--out", str(tmp_path / "no" / "v.npy"))
    assert done.code == 1
    assert "No such file or directory" in done.err
    assert done.err.count("\n") == 1


def test_the_target_may_be_named_before_the_command(sextant, target):
    assert sextant("--target", target, "status", SEXTANT_TARGET="127.0.0.1:1").code == 0
    assert sextant("status", "--target", target, SEXTANT_TARGET="127.0.0.1:1").code == 0
    assert sextant("status", SEXTANT_TARGET="127.0.0.1:1").code == 1


def test_an_answer_streams_to_the_reader_as_it_is_made_and_ctrl_c_is_130(start):
    process = start("generate", "text", "sleep=0.05", "--model", "probe", "--max-tokens", "2000")
    began = time.monotonic()
    assert process.stdout.read(8).strip()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert time.monotonic() - began < 20  # the whole answer would take a hundred seconds
    assert process.stderr.read() == b""


def test_a_reader_that_goes_away_is_no_error(start):
    process = start("generate", "text", "sleep=0.01", "--model", "probe", "--max-tokens", "3000")
    process.stdout.read(8)
    process.stdout.close()
    assert process.wait(15) == 0
    assert process.stderr.read() == b""


def test_numbers_that_json_does_not_have_are_written_as_protobuf_does(capsys):
    print_json({"a": [float("-inf"), np.array([float("nan"), 1.0])], "b": Likelihood(-1.0, 2, Estimator.EXACT)})
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found["a"] == ["-Infinity", ["NaN", 1.0]]
    assert found["b"]["estimator"] == "exact"


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
    assert set(told["services"].values()) == {True}


def test_no_gateway_is_said_plainly(sextant):
    done = sextant("score", "x", "--target", "127.0.0.1:1", "--timeout", "3")
    assert done.code == 1
    assert "sextant up" in done.err


def test_down_without_a_platform_does_nothing(sextant):
    done = sextant("down")
    assert (done.code, done.out) == (0, "nothing is running\n")


def test_up_refuses_a_port_that_is_taken_before_it_starts_anything(sextant, target):
    done = sextant("up", "--no-pull", "--port", target.rpartition(":")[2])
    assert done.code == 1
    assert "cannot listen on" in done.err


def test_up_refuses_ports_that_run_out_or_are_asked_for_twice(sextant):
    done = sextant("up", "--no-pull", "--metrics-port", "65535", "--gateways", "2")
    assert (done.code, "--metrics-port 65535" in done.err) == (1, True)
    done = sextant("up", "--no-pull", "--port", "50999", "--metrics-port", "50998", "--gateways", "2")
    assert (done.code, "50999: it is both" in done.err) == (1, True)


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
        serving=True,
        metrics=(),
        gateways=(),
        children=(),
        ray_address="",
        log_directory=tmp_path,
        stop_within_s=1.0,
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
