"""The Python client, plain and asyncio, on a real gateway."""

import asyncio
import inspect
import threading
import time

import pytest

from sextant.client import (
    Accepted,
    Answer,
    AsyncClient,
    Client,
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    Overloaded,
    Receipt,
    TextPiece,
    Unavailable,
    Unsupported,
)
from sextant.client.connection import RetryPolicy
from sextant.contract.tasks import ChatMessage, Role
from sextant.contract.v1 import generation_pb2


@pytest.fixture
def client(target):
    with Client(target) as client:
        yield client


def test_text_streams_and_the_stream_keeps_the_rest(client):
    stream = client.generate_text("go", model="probe", max_tokens=5, seed=3)
    pieces = [piece.text for piece in stream]
    assert len(pieces) == 5
    assert stream.text == "".join(pieces)
    assert stream.receipt.seed == stream.seed == 3
    assert stream.receipt.items[0].generated_tokens == 5
    assert stream.decision.model == "probe"


async def test_the_asyncio_client_gives_the_same(target, client):
    plain = client.generate_text("go", model="probe", max_tokens=5, seed=3)
    expected = [piece.text for piece in plain]
    async with AsyncClient(target) as asynchronous:
        stream = asynchronous.generate_text("go", model="probe", max_tokens=5, seed=3)
        assert [piece.text async for piece in stream] == expected
        assert stream.text == plain.text
        vectors = await asynchronous.encode(["a", "b"], model="probe", seed=1)
        assert [v.tolist() for v in vectors] == [v.tolist() for v in client.encode(["a", "b"], model="probe", seed=1)]
        assert await asynchronous.serving()
        assert (await asynchronous.model("probe")) == client.model("probe")


def test_both_clients_have_the_same_methods_with_the_same_arguments():
    def surface(kind):
        public = {n: m for n, m in inspect.getmembers(kind, inspect.isfunction) if not n.startswith("_")}
        return {name: list(inspect.signature(method).parameters) for name, method in public.items()}

    assert surface(Client) == surface(AsyncClient)


def test_leaving_an_iteration_cancels_the_call(client):
    stream = client.generate_text("sleep=0.01", model="probe", max_tokens=100_000)
    for _ in stream:
        break
    # All sixteen slots must be free again: sixteen requests run side by side.
    done = []
    threads = [
        threading.Thread(
            target=lambda: done.append(list(client.generate_text("sleep=0.01", model="probe", max_tokens=5, timeout=5)))
        )
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 16


async def test_leaving_an_iteration_cancels_the_call_of_the_asyncio_client_too(target):
    async with AsyncClient(target) as client:
        for _ in range(20):  # more than there are slots
            async for _ in client.generate_text("sleep=0.01", model="probe", max_tokens=100_000):
                break
        assert len([piece async for piece in client.generate_text("go", model="probe", max_tokens=3, timeout=10)]) == 3


def test_a_stream_that_is_left_keeps_what_had_come(client):
    stream = client.generate_text("sleep=0.01", model="probe", max_tokens=100_000)
    pieces = []
    for piece in stream:
        pieces.append(piece.text)
        if len(pieces) == 3:
            break
    assert stream.text == "".join(pieces)
    assert stream.receipt is None


def test_a_stream_is_read_once(client):
    stream = client.generate_text("go", model="probe", max_tokens=2).read()
    with pytest.raises(RuntimeError, match="read already"):
        stream.read()


def test_every_stream_is_events_in_the_order_of_the_contract(client):
    events = list(client.generate("go", model="probe", max_tokens=2, count=2, seed=5))
    assert isinstance(events[0], Accepted)
    assert isinstance(events[-1], Receipt)
    assert sorted(event.item for event in events if isinstance(event, Answer)) == [0, 1]
    whole = {event.item: event.media.content for event in events if isinstance(event, Answer)}
    for item in (0, 1):
        assert "".join(e.text for e in events if isinstance(e, TextPiece) and e.item == item) == whole[item]


def test_a_raw_request_says_what_the_options_cannot(client):
    request = generation_pb2.GenerateRequest(prompt="go", text={"max_tokens": 2})
    request.options.model = "probe"
    kinds = [message.WhichOneof("event") for message in client.generate(request).raw()]
    assert (kinds[0], kinds[-1]) == ("accepted", "receipt")


def test_vectors_come_with_their_receipt(client):
    vectors = client.encode(["a", "b", "c"], model="probe", seed=9, request_id="mine")
    assert [vector.shape for vector in vectors] == [(4,)] * 3
    assert (vectors.receipt.seed, vectors.receipt.request_id) == (9, "mine")


def test_health_is_told_for_each_service(client):
    assert client.health() == {
        "sextant.v1.Generation": True,
        "sextant.v1.Guide": True,
        "sextant.v1.Models": True,
    }


def test_a_proxy_in_the_environment_does_not_come_between_two_processes_here(target, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with Client(target) as client:
        assert client.serving()


def test_errors_are_typed_and_name_the_field(client):
    with pytest.raises(InvalidArgument) as refused:
        list(client.generate_text("x", model="probe", temperature=-1.0, top_p=3.0))
    assert [violation.field for violation in refused.value.fields] == ["text.temperature", "text.top_p"]
    assert refused.value.reason == "INVALID_FIELD"
    assert refused.value.request_id
    with pytest.raises(NotFound):
        client.model("nonesuch")
    with pytest.raises(Unsupported):
        client.score(["x"], model="probe")
    with pytest.raises(DeadlineExceeded):
        list(client.generate_text("sleep=0.05", model="probe", max_tokens=1000, timeout=0.3))
    with pytest.raises(InvalidArgument, match="haste"):
        client.generate_text("x", priority="haste")


def test_a_gateway_that_is_not_there_is_unavailable_at_once():
    started = time.monotonic()
    with Client("127.0.0.1:1") as client, pytest.raises(Unavailable):
        client.models(timeout=5.0)
    assert time.monotonic() - started < 5.0


def test_a_chat_needs_no_prompt(client):
    messages = [ChatMessage(Role.SYSTEM, "be brief"), ChatMessage(Role.USER, "hello")]
    assert len(list(client.generate_text(messages, model="probe", max_tokens=2))) == 2


async def test_overload_is_retried_when_the_server_says_so_and_only_then(target):
    async with AsyncClient(target, retry=RetryPolicy(attempts=1)) as once, AsyncClient(target) as patient:
        crowd = [once.generate_text("sleep=0.05", model="probe", max_tokens=20) for _ in range(24)]

        async def read(stream):
            return [piece async for piece in stream]

        reading = [asyncio.create_task(read(stream)) for stream in crowd]
        await asyncio.sleep(0.3)
        with pytest.raises(Overloaded) as refused:
            await read(once.generate_text("go", model="probe", max_tokens=1))
        assert refused.value.retry_after_s > 0
        assert len(await read(patient.generate_text("go", model="probe", max_tokens=1, timeout=30))) == 1
        await asyncio.gather(*reading)


def test_a_decision_comes_with_its_reasons(client):
    decided = client.decide("generate", output="image", priority="speed")
    assert decided.model == ""
    assert decided.rule.startswith("image-speed, line ")
    assert decided.rejections[0].model == "probe"
