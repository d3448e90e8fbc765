"""The Python client, plain and asyncio, on a real gateway."""

import asyncio
import inspect
import threading
import time

import pytest

from sextant.client import (
    AsyncClient,
    Client,
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    Overloaded,
    Unavailable,
    Unsupported,
)
from sextant.client.connection import RetryPolicy
from sextant.contract.tasks import ChatMessage, Role


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
    with pytest.raises(ValueError, match="haste"):
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
