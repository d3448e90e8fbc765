"""Logs for machines: whole JSON objects, with what is known of each request and nothing of what it said."""

import asyncio
import io
import json
import logging
import subprocess
import sys

import grpc
import pytest

from sextant.contract.v1 import generation_pb2_grpc
from sextant.gateway.access.key_file import create_key
from sextant.gateway.logs import JsonFormatter
from tests.e2e.conftest import probe_request
from tests.gateway.scripted import serving


def lines_of(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def logged():
    """What the gateway's loggers write as JSON."""
    stream, logger = io.StringIO(), logging.getLogger("sextant")
    handler, before = logging.StreamHandler(stream), logger.level
    handler.setFormatter(JsonFormatter())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield lambda: lines_of(stream.getvalue())
    logger.removeHandler(handler)
    logger.setLevel(before)


async def test_every_request_is_one_object_with_its_id_model_code_and_durations(tmp_path, dispatcher, logged):
    token = create_key(tmp_path / "keys.toml", "alice", scopes=["generation"])
    metadata = (("authorization", f"Bearer {token}"), ("x-request-id", "theirs-9"))
    async with serving(dispatcher, keys=tmp_path / "keys.toml") as (channel, _):
        stub = generation_pb2_grpc.GenerationStub(channel)
        async for _ in stub.Generate(probe_request("my secret prompt", steps=3), metadata=metadata):
            pass
        with pytest.raises(grpc.aio.AioRpcError):
            async for _ in stub.Generate(probe_request("refuse"), metadata=metadata):
                pass
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Generate(probe_request(), metadata=(("x-request-id", "theirs-10"),)).read()
        async with asyncio.timeout(10):
            while len(asked := [line for line in logged() if "request_id" in line]) < 3:
                await asyncio.sleep(0.02)
    done, refused, kept_out = asked
    assert (done["request_id"], done["task"], done["model"], done["code"]) == ("theirs-9", "generate", "probe", "OK")
    assert (done["key"], done["retries"], done["level"]) == ("alice", 0, "INFO")
    assert 0 <= done["queue_s"] <= done["first_event_s"] <= done["total_s"]
    assert (refused["code"], refused["first_event_s"]) == ("INVALID_ARGUMENT", None)
    assert (kept_out["request_id"], kept_out["outcome"]) == ("theirs-10", "unauthenticated")
    assert "my secret prompt" not in json.dumps(asked)


def test_a_line_break_in_what_is_logged_stays_within_its_object():
    record = logging.LogRecord("sextant.x", logging.WARNING, "", 0, "two\n%s", ('li"nes',), None)
    try:
        raise ValueError("a\nb")
    except ValueError:
        record.exc_info = sys.exc_info()
    record.fields = {"request_id": "r", "message": "not this one", "odd": object()}
    text = JsonFormatter().format(record)
    assert "\n" not in text
    told = json.loads(text)
    assert (told["message"], told["level"], told["request_id"]) == ('two\nli"nes', "WARNING", "r")
    assert told["error"].endswith("ValueError: a\nb")
    assert told["time"].endswith("+00:00")


def test_a_process_that_is_told_so_logs_json_and_else_plain_lines():
    program = (
        "import logging, sys; from sextant.gateway.logs import set_up_logging;"
        "set_up_logging('INFO', sys.argv[1]); logging.getLogger('x').info('hello'); logging.getLogger('x').debug('no')"
    )
    for form in ("json", "plain"):
        done = subprocess.run([sys.executable, "-c", program, form], capture_output=True, text=True, check=True)
        if form == "json":
            (told,) = lines_of(done.stderr)
            assert (told["message"], told["logger"]) == ("hello", "x")
        else:
            assert done.stderr.endswith(" INFO x: hello\n")
            assert done.stderr.count("\n") == 1
