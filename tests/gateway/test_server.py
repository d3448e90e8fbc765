"""Health, draining, ports and limits of a gateway."""

import asyncio
import sys

import grpc
import psutil
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from sextant.contract.v1 import generation_pb2, generation_pb2_grpc
from tests.e2e.conftest import probe_request
from tests.gateway.conftest import start_gateway

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


async def health_of(channel: grpc.aio.Channel, service: str = "") -> int:
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service))
    return answer.status


async def until_health(channel: grpc.aio.Channel, wanted: int) -> None:
    async with asyncio.timeout(5):
        while await health_of(channel) != wanted:
            await asyncio.sleep(0.02)


def reason_of(error: grpc.aio.AioRpcError) -> tuple[str, bool]:
    """The reason of an error, and whether it says when to retry."""
    reason, retry = "", False
    for detail in rpc_status.from_call(error).details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            reason = info.reason
        retry = retry or detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR)
    return reason, retry


async def test_health_follows_the_models(dispatcher, channel):
    await until_health(channel, SERVING)
    for service in ("sextant.v1.Generation", "sextant.v1.Guide", "sextant.v1.Models"):
        assert await health_of(channel, service) == SERVING
    dispatcher.is_ready = False
    await until_health(channel, NOT_SERVING)
    dispatcher.is_ready = True
    await until_health(channel, SERVING)


async def test_a_gateway_is_not_serving_before_its_models_are_warm(dispatcher):
    dispatcher.is_ready = False
    gateway = await start_gateway(dispatcher)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
        for _ in range(5):
            assert await health_of(channel) == NOT_SERVING
            await asyncio.sleep(0.1)
        dispatcher.is_ready = True
        await until_health(channel, SERVING)
    await gateway.drain()


async def test_draining_finishes_what_runs_refuses_what_is_new_and_says_so(dispatcher):
    gateway = await start_gateway(dispatcher)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
        stub = generation_pb2_grpc.GenerationStub(channel)
        await until_health(channel, SERVING)
        running = aiter(stub.Generate(probe_request("sleep=0.01", steps=60)))
        await anext(running)
        draining = asyncio.create_task(gateway.drain())
        await until_health(channel, NOT_SERVING)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Generate(probe_request()).read()
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert reason_of(refused.value) == ("DRAINING", True)
        rest = [event async for event in running]
        assert rest[-1].WhichOneof("event") == "receipt"
        await draining


async def test_a_drain_ends_when_its_time_is_up(dispatcher):
    gateway = await start_gateway(dispatcher, drain_seconds=0.3)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
        call = generation_pb2_grpc.GenerationStub(channel).Generate(probe_request("sleep=0.01", steps=100_000))
        await call.read()
        async with asyncio.timeout(5):
            await gateway.drain()
        with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
            while await call.read() is not grpc.aio.EOF:
                pass


async def test_two_gateways_share_a_port_and_one_may_go(dispatcher):
    first = await start_gateway(dispatcher)
    second = await start_gateway(dispatcher, f"127.0.0.1:{first.port}")
    assert first.port == second.port
    await first.drain()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{second.port}") as channel:
        events = [e async for e in generation_pb2_grpc.GenerationStub(channel).Generate(probe_request(steps=2))]
        assert events[-1].WhichOneof("event") == "receipt"
    await second.drain()


async def test_a_message_a_little_too_large_is_refused_with_details(channel):
    stub = generation_pb2_grpc.GenerationStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.Generate(generation_pb2.GenerateRequest(prompt="x" * 150_000)).read()
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert reason_of(refused.value) == ("MESSAGE_TOO_LARGE", False)


_BOMB = """
import sys, grpc
with grpc.insecure_channel(sys.argv[1], [("grpc.max_send_message_length", -1)]) as channel:
    call = channel.unary_stream("/sextant.v1.Generation/Generate")
    try:
        next(call(bytes(int(sys.argv[2])), compression=grpc.Compression.Gzip, timeout=60))
    except grpc.RpcError as error:
        print(error.code().name, error.details())
"""


async def test_what_would_unpack_to_more_than_is_taken_is_refused_before_it_is_unpacked(gateway):
    """100 MB that come as 100 kB of gzip: gRPC's core stops unpacking at its limit, twice ours."""
    process = psutil.Process()
    before = peak = process.memory_info().rss
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _BOMB, f"127.0.0.1:{gateway.port}", "100000000", stdout=asyncio.subprocess.PIPE
    )
    told = asyncio.create_task(client.communicate())
    while not told.done():
        peak = max(peak, process.memory_info().rss)
        await asyncio.sleep(0.005)
    assert (await told)[0].decode().strip() == "RESOURCE_EXHAUSTED Decompressed message larger than max"
    assert peak - before < 50e6


async def test_the_callers_request_id_comes_back_everywhere(channel):
    stub = generation_pb2_grpc.GenerationStub(channel)
    request = probe_request(steps=1)
    request.options.request_id = "my-id-17"
    call = stub.Generate(request)
    assert dict(await call.initial_metadata())["sextant-request-id"] == "my-id-17"
    events = [event async for event in call]
    assert events[0].accepted.request_id == events[-1].receipt.request_id == "my-id-17"


@pytest.mark.parametrize(
    ("header", "taken"), [("theirs-1", True), ("", False), ("x" * 129, False), ("x" * 128, True), ("a b/c", True)]
)
async def test_a_request_id_in_the_metadata_is_taken_where_it_is_well_formed(channel, header, taken):
    stub = generation_pb2_grpc.GenerationStub(channel)
    call = stub.Generate(probe_request(steps=1), metadata=(("x-request-id", header),))
    told = dict(await call.initial_metadata())["sextant-request-id"]
    events = [event async for event in call]
    assert events[-1].receipt.request_id == told
    assert (told == header) is taken
    assert 0 < len(told) <= 128


async def test_a_request_id_in_the_request_goes_before_one_in_the_metadata(channel):
    request = probe_request(steps=1)
    request.options.request_id = "inside"
    call = generation_pb2_grpc.GenerationStub(channel).Generate(request, metadata=(("x-request-id", "outside"),))
    assert dict(await call.initial_metadata())["sextant-request-id"] == "inside"


async def test_a_seed_that_was_drawn_can_be_asked_for_again(channel):
    stub = generation_pb2_grpc.GenerationStub(channel)
    request = probe_request(steps=3)
    request.options.ClearField("seed")
    first = [event async for event in stub.Generate(request)]
    request.options.seed = first[-1].receipt.seed
    second = [event async for event in stub.Generate(request)]
    assert first[-1].receipt.items[0].sha256 == second[-1].receipt.items[0].sha256
    assert first[0].accepted.seed == first[-1].receipt.seed


async def test_every_overload_is_refused_before_it_is_accepted(channel):
    """16 slots and 8 places in the queue: of 40 requests 16 must be refused, and those at once."""
    stub = generation_pb2_grpc.GenerationStub(channel)
    calls = [stub.Generate(probe_request("sleep=0.05", steps=1000)) for _ in range(40)]
    outcomes = await asyncio.gather(*(call.read() for call in calls), return_exceptions=True)
    refused = [o for o in outcomes if isinstance(o, grpc.aio.AioRpcError)]
    assert len(refused) == 16
    assert all(reason_of(error) == ("OVERLOADED", True) for error in refused)
    for call in calls:
        call.cancel()
