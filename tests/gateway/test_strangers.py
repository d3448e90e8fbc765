"""gRPC's own services: what is no message is refused as such, and what is one is answered as ever."""

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

CHECK, WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
BROKEN = b"\x0a\xff"


async def test_an_unreadable_message_is_the_callers_fault(channel):
    for call in (
        channel.unary_unary(CHECK)(BROKEN, timeout=10.0),
        channel.unary_stream(WATCH)(BROKEN, timeout=10.0).read(),
        channel.stream_stream(REFLECTION)(iter([BROKEN]), timeout=10.0).read(),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as told:
            await call
        assert told.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_readable_one_is_answered(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    assert (await stub.Check(health_pb2.HealthCheckRequest(), timeout=10.0)).status
    watch = stub.Watch(health_pb2.HealthCheckRequest(), timeout=10.0)
    assert (await watch.read()).status
    watch.cancel()
    ask = reflection_pb2.ServerReflectionRequest(list_services="")
    call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([ask]), timeout=10.0)
    names = {service.name for service in (await call.read()).list_services_response.service}
    assert "sextant.v1.Generation" in names
