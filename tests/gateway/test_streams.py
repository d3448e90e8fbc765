"""What a stream and a unary answer consist of, and what reaches the dispatcher when a caller goes."""

import asyncio
import hashlib
import io
import time

import grpc
import numpy as np
import pytest
from PIL import Image as Pillow
from prometheus_client import REGISTRY

from sextant.contract import media
from sextant.contract.errors import ModelUnavailable, Overloaded
from sextant.contract.events import Chunk, Estimator, Event, Likelihood, Progress, Result, TextDelta, Usage
from sextant.contract.v1 import generation_pb2, generation_pb2_grpc, media_pb2
from tests.e2e.conftest import encode_request, score_request
from tests.gateway.scripted import ScriptedDispatcher, answering, serving, waiting
from tests.gateway.test_guide import MODELS

CODE = grpc.StatusCode
PIXELS = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)


def prompt(**rest) -> generation_pb2.GenerateRequest:
    return generation_pb2.GenerateRequest(prompt="x", **rest)


def ended(code: str, model: str = "llm") -> float:
    """How many requests to a model have been counted as ended with a code."""
    labels = {"task": "generate", "family": "transformer", "model": model, "code": code}
    return REGISTRY.get_sample_value("sextant_requests_total", labels) or 0.0


async def until(condition, timeout_s: float = 2.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


async def test_events_come_in_order_numbered_anew_and_the_receipt_tells_what_was_used():
    async def two_items(request, stats):
        stats.started_s, stats.retries = time.monotonic(), 2
        yield ()
        yield (Event(0, Chunk(0, TextDelta("a"))), Event(0, Progress(1, 1, 2)))
        yield (Event(1, Result(1, media.Text("second"), usage=Usage(2, 3, 4))),)
        yield (Event(1, Result(0, media.Text("ä"), usage=Usage(5, 6, 7))),)

    async with serving(ScriptedDispatcher(MODELS, two_items)) as (channel, _):
        request = prompt(count=2, options=generation_pb2.Options(seed=9))
        events = [event async for event in generation_pb2_grpc.GenerationStub(channel).Generate(request)]
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds == ["accepted", "chunk", "progress", "result", "result", "receipt"]
    assert [event.sequence for event in events] == list(range(6))
    receipt = events[-1].receipt
    assert [item.sha256 for item in receipt.items] == [hashlib.sha256(t.encode()).digest() for t in ("ä", "second")]
    assert [(i.steps, i.prompt_tokens, i.generated_tokens) for i in receipt.items] == [(5, 6, 7), (2, 3, 4)]
    assert (receipt.model, receipt.version, receipt.seed, receipt.retries) == ("llm", "1.0.0", 9, 2)
    assert 0 < receipt.queue_s <= receipt.first_event_s <= receipt.total_s
    assert receipt.decision == events[0].accepted.decision
    assert receipt.decision.rule.name == "text"


async def test_a_refusal_for_load_comes_instead_of_acceptance():
    async def full(request, stats):
        raise Overloaded("full", 0.5)
        yield ()

    async with serving(ScriptedDispatcher(MODELS, full)) as (channel, _):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await generation_pb2_grpc.GenerationStub(channel).Generate(prompt()).read()
    assert refused.value.code() is CODE.RESOURCE_EXHAUSTED


async def test_a_stream_that_breaks_in_the_middle_ends_with_the_error_and_no_receipt():
    async def breaking(request, stats):
        yield (Event(0, Chunk(0, TextDelta("a"))),)
        raise ModelUnavailable("lost")

    async with serving(ScriptedDispatcher(MODELS, breaking)) as (channel, _):
        call = generation_pb2_grpc.GenerationStub(channel).Generate(prompt())
        kinds = [(await call.read()).WhichOneof("event") for _ in range(2)]
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call.read()
    assert kinds == ["accepted", "chunk"]
    assert failed.value.code() is CODE.UNAVAILABLE


async def test_an_answer_that_lacks_an_item_is_an_error_not_a_short_answer():
    script = answering(Result(0, media.Text("only")))
    async with serving(ScriptedDispatcher(MODELS, script)) as (channel, _):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            [e async for e in generation_pb2_grpc.GenerationStub(channel).Generate(prompt(count=2))]
    assert failed.value.code() is CODE.INTERNAL


async def test_a_cancel_closes_the_dispatchers_stream_at_once_and_is_counted_as_one():
    dispatcher = ScriptedDispatcher(MODELS, waiting(lambda: asyncio.sleep(60)))
    async with serving(dispatcher) as (channel, _):
        before = ended("CANCELLED")
        call = generation_pb2_grpc.GenerationStub(channel).Generate(prompt())
        await call.read()
        call.cancel()
        await until(lambda: dispatcher.closed == 1, 0.5)
        await until(lambda: ended("CANCELLED") == before + 1)


async def test_a_deadline_closes_the_dispatchers_stream_travels_as_budget_and_is_counted_as_one():
    dispatcher = ScriptedDispatcher(MODELS, waiting(lambda: asyncio.sleep(60)))
    async with serving(dispatcher) as (channel, _):
        before = ended("DEADLINE_EXCEEDED")
        started = time.monotonic()
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            [e async for e in generation_pb2_grpc.GenerationStub(channel).Generate(prompt(), timeout=0.3)]
        await until(lambda: dispatcher.closed == 1, 0.5)
        assert time.monotonic() - started < 1.0
        await until(lambda: ended("DEADLINE_EXCEEDED") == before + 1)
    assert failed.value.code() is CODE.DEADLINE_EXCEEDED
    assert dispatcher.requests[0].budget_s == pytest.approx(0.3, abs=0.05)  # gRPC rounds timeouts up


async def test_a_unary_call_that_is_cancelled_closes_its_stream_too():
    dispatcher = ScriptedDispatcher(MODELS, waiting(lambda: asyncio.sleep(60)))
    async with serving(dispatcher) as (channel, _):
        call = generation_pb2_grpc.GenerationStub(channel).Encode(encode_request("x"))
        await until(lambda: dispatcher.requests)
        call.cancel()
        await until(lambda: dispatcher.closed == 1, 0.5)


async def test_an_embedding_is_answered_with_the_digest_of_what_was_sent():
    latent = media.Latent("sentences", np.float32([1, 2]))
    async with serving(ScriptedDispatcher(MODELS, answering(Result(0, latent)))) as (channel, _):
        answer = await generation_pb2_grpc.GenerationStub(channel).Encode(encode_request("x"))
    assert answer.latents[0].mean.data == np.float32([1, 2]).tobytes()
    assert answer.receipt.items[0].sha256 == hashlib.sha256(answer.latents[0].mean.data).digest()


async def test_a_picture_is_decoded_into_the_encoding_asked_for_and_its_digest_is_of_those_bytes():
    script = answering(Result(0, media.Image(PIXELS)))
    latent = media_pb2.Latent(space="z", mean=media_pb2.Tensor(element_type=1, shape=[2], data=b"\0" * 8))
    async with serving(ScriptedDispatcher(MODELS, script)) as (channel, _):
        for name in ("JPEG", "PNG", "WEBP"):
            image_format = media_pb2.ImageFormat.Value(f"IMAGE_FORMAT_{name}")
            encoding = generation_pb2.Encoding(image=image_format)
            request = generation_pb2.DecodeRequest(latents=[latent], encoding=encoding)
            answer = await generation_pb2_grpc.GenerationStub(channel).Decode(request)
            data = answer.items[0].image.data
            assert Pillow.open(io.BytesIO(data)).format == name
            assert answer.receipt.items[0].sha256 == hashlib.sha256(data).digest()


async def test_scores_come_in_the_order_of_the_items():
    script = answering(*(Result(n, Likelihood(-1.0 * n, 2, Estimator.EXACT)) for n in (1, 0)))
    async with serving(ScriptedDispatcher(MODELS, script)) as (channel, _):
        answer = await generation_pb2_grpc.GenerationStub(channel).Score(score_request("a", "b"))
    assert [likelihood.log_likelihood_nats for likelihood in answer.likelihoods] == [0.0, -1.0]
    assert len(answer.receipt.items) == 2


async def test_a_model_that_answers_with_the_wrong_kind_of_content_is_a_defect_not_an_empty_answer():
    async with serving(ScriptedDispatcher(MODELS, answering(Result(0, media.Text("?"))))) as (channel, _):
        stub = generation_pb2_grpc.GenerationStub(channel)
        for call in (stub.Encode(encode_request("x")), stub.Score(score_request("x"))):
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await call
            assert failed.value.code() is CODE.INTERNAL


async def test_each_call_leaves_one_line_in_the_log_with_its_id_and_nothing_of_its_prompt(caplog):
    caplog.set_level("INFO", "sextant.gateway")
    async with serving(ScriptedDispatcher(MODELS, answering(Result(0, media.Text("secret answer"))))) as (channel, _):
        request = prompt(options=generation_pb2.Options(request_id="my-id"))
        request.prompt = "secret question"
        assert [e async for e in generation_pb2_grpc.GenerationStub(channel).Generate(request)]
        lines = [r.getMessage() for r in caplog.records if "my-id" in r.getMessage()]
    assert len(lines) == 1
    assert "generate by llm, OK" in lines[0]
    assert "secret" not in caplog.text
