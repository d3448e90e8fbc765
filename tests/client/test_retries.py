"""When the client asks again, and when it does not."""

import time

import grpc
import pytest

from sextant.client import (
    AsyncClient,
    Client,
    ClientError,
    DeadlineExceeded,
    Overloaded,
    RetryPolicy,
    ServerError,
    TooLarge,
    Unavailable,
)
from tests.client.scripted_server import NO_MODELS, Script, event, failure, serving, text_chunk

FULL = failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "the queue is full", reason="OVERLOADED", retry_s=0.05)
DRAINING = failure(grpc.StatusCode.UNAVAILABLE, "draining", reason="DRAINING", retry_s=0.05)
GONE = failure(grpc.StatusCode.UNAVAILABLE, "gone")
TOO_LARGE = failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "too large", reason="MESSAGE_TOO_LARGE")


def test_a_refusal_with_a_time_is_asked_again_after_that_time():
    script = Script(FULL, DRAINING, [text_chunk("hello")])
    with serving(script) as target, Client(target) as client:
        started = time.monotonic()
        assert client.generate_text("x").read().text == "hello"
    assert script.calls == 3
    assert time.monotonic() - started >= 0.1


async def test_the_asyncio_client_asks_again_as_well():
    script = Script(FULL, [text_chunk("hello")], DRAINING, NO_MODELS)
    with serving(script) as target:
        async with AsyncClient(target) as client:
            assert (await client.generate_text("x").read()).text == "hello"
            assert await client.models() == []
    assert script.calls == 4


@pytest.mark.parametrize(("answer", "kind"), [(GONE, Unavailable), (TOO_LARGE, TooLarge)])
def test_a_refusal_without_a_time_is_final(answer, kind):
    script = Script(answer, NO_MODELS)
    with serving(script) as target, Client(target) as client, pytest.raises(kind):
        client.models()
    assert script.calls == 1


def test_nothing_is_asked_again_once_the_stream_has_begun():
    script = Script([text_chunk("half"), DRAINING], [text_chunk("again")])
    with serving(script) as target, Client(target) as client:
        stream = client.generate_text("x")
        with pytest.raises(Unavailable) as lost:
            stream.read()
        assert stream.text == "half"
        assert (lost.value.reason, lost.value.request_id) == ("DRAINING", "r-1")
    assert script.calls == 1


def test_attempts_are_bounded():
    script = Script(FULL, FULL, FULL, FULL)
    with serving(script) as target, Client(target, retry=RetryPolicy(attempts=3)) as client:
        with pytest.raises(Overloaded) as full:
            client.models()
        assert full.value.retry_after_s == 0.05
    assert script.calls == 3


@pytest.mark.parametrize("limits", [{"timeout": 1.0}, {"timeout": None}])
def test_a_pause_beyond_the_deadline_or_beyond_reason_is_not_waited_for(limits):
    later = failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "full", reason="OVERLOADED", retry_s=600.0)
    script = Script(later, NO_MODELS)
    with serving(script) as target, Client(target) as client:
        started = time.monotonic()
        with pytest.raises(Overloaded):
            client.models(**limits)
        assert time.monotonic() - started < 1.0
    assert script.calls == 1


def test_the_deadline_covers_all_attempts_together():
    script = Script(*[FULL] * 50)
    with serving(script) as target, Client(target, retry=RetryPolicy(attempts=50)) as client:
        started = time.monotonic()
        with pytest.raises((Overloaded, DeadlineExceeded)):
            client.models(timeout=0.4)
        assert time.monotonic() - started < 1.5
    assert 1 < script.calls < 12


def test_a_failure_with_garbled_details_is_still_a_typed_error():
    class Garbling(Script):
        def ListModels(self, request, context):  # noqa: N802 - gRPC's name
            context.set_trailing_metadata((("grpc-status-details-bin", b"\xff\xff\xff"),))
            context.abort(grpc.StatusCode.INTERNAL, "it broke")

    with serving(Garbling()) as target, Client(target) as client, pytest.raises(ServerError, match="it broke"):
        client.models()


def test_an_answer_that_cannot_be_read_is_the_servers_error():
    broken = event(result={"item": 0, "media": {"image": {"data": b"no picture"}}})
    with serving(Script([broken])) as target, Client(target) as client:
        with pytest.raises(ServerError, match="cannot be read"):
            client.generate_text("x").read()
        with pytest.raises(ClientError):
            client.fill_mask("x")


def test_what_a_later_server_adds_is_left_out_rather_than_fatal():
    listed = NO_MODELS.FromString(NO_MODELS.SerializeToString())
    listed.models.add(name="new", tasks=[1, 900], inputs=[901], family=902)
    unknown = event()
    with serving(Script(listed, [unknown, text_chunk("a")])) as target, Client(target) as client:
        (model,) = client.models()
        assert (model.name, model.tasks, model.inputs, model.family) == ("new", ("generate",), (), "")
        assert [piece.text for piece in client.generate_text("x")] == ["a"]
