"""gRPC's server as it is mended: what is no method ends nothing but its own call."""

import asyncio

import grpc
import pytest

from tests.fuzz.driver import answers
from tests.fuzz.frames import call_to


@pytest.mark.parametrize("path", [b"/x/\xfd", b"\xff" * 9, b"", b"/sextant.v1.Generation/Generate\x80"])
async def test_a_path_that_is_not_utf8_does_not_end_the_server(path, gateway):
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(call_to(path))
    assert await asyncio.wait_for(reader.read(1), 10)
    assert await answers(f"127.0.0.1:{gateway.port}")
    writer.close()


async def test_a_method_that_does_not_exist_is_unimplemented(channel):
    with pytest.raises(grpc.aio.AioRpcError) as told:
        await channel.unary_unary("/sextant.v1.Generation/Nonesuch")(b"", timeout=10.0)
    assert told.value.code() is grpc.StatusCode.UNIMPLEMENTED
