"""A full queue's refusal is given again for a moment, without asking it anew."""

import asyncio

import grpc
import pytest

from sextant.contract import errors
from sextant.contract.v1 import generation_pb2, generation_pb2_grpc
from sextant.gateway import metrics
from tests.gateway.scripted import ScriptedDispatcher, failing, serving
from tests.gateway.test_errors import MODELS, details_of


async def refused(channel: grpc.aio.Channel, model: str = "llm", count: int = 1) -> dict[str, object]:
    """The details of a refusal for load."""
    request = generation_pb2.GenerateRequest(options=generation_pb2.Options(model=model), prompt="x", count=count)
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await generation_pb2_grpc.GenerationStub(channel).Generate(request).read()
    assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    return details_of(failed.value)


def counted() -> float:
    return metrics.REQUESTS.labels("generate", "transformer", "llm", "RESOURCE_EXHAUSTED")._value.get()


@pytest.mark.parametrize("model", ["llm", ""], ids=["named", "chosen"])
async def test_what_a_full_queue_would_refuse_is_refused_at_once_and_counted_as_its_models(model):
    dispatcher = ScriptedDispatcher(MODELS, failing(errors.Overloaded("queue is full", 100.0)))
    async with serving(dispatcher) as (channel, _):
        before = counted()
        first, again = await refused(channel, model), await refused(channel, model)
        assert first["RetryInfo"] == again["RetryInfo"]
        assert len(dispatcher.requests) == 1
        assert counted() == before + 2


async def test_a_moment_later_the_queue_is_asked_again():
    dispatcher = ScriptedDispatcher(MODELS, failing(errors.Overloaded("queue is full", 100.0)))
    async with serving(dispatcher) as (channel, _):
        await refused(channel)
        await asyncio.sleep(0.15)
        await refused(channel)
    assert len(dispatcher.requests) == 2


async def test_fewer_items_than_were_refused_are_asked_for():
    dispatcher = ScriptedDispatcher(MODELS, failing(errors.Overloaded("queue is full", 100.0)))
    async with serving(dispatcher) as (channel, _):
        await refused(channel, count=8)
        await refused(channel, count=8)
        assert len(dispatcher.requests) == 1
        await refused(channel, count=2)
    assert [len(request.tasks) for request in dispatcher.requests] == [8, 2]
