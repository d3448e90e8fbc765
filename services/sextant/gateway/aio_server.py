"""gRPC's asyncio server, mended: a call whose path is not UTF-8 must not end it.

grpcio 1.85.1 decodes the path of every method that is not registered in the loop that accepts calls. Where that fails,
the loop ends and the server stops listening, for good: one frame from anyone. Here all methods are registered
beforehand, and calls of others are answered UNIMPLEMENTED, or by what the interceptors say, before that loop sees them.
(`tests/fuzz` found it.)
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
from grpc._cython import cygrpc

# What interceptors are told where there is no such method.
UNKNOWN_METHOD = "unknown"


class _AnsweringServer(cygrpc.AioServer):  # type: ignore[misc]
    """Answers calls of unknown methods by itself, whatever their names are."""

    interceptors: tuple[grpc.aio.ServerInterceptor, ...] = ()

    async def _request_call(self) -> Any:
        loop = asyncio.get_running_loop()
        refusals: set[asyncio.Task[None]] = set()
        nothing = cygrpc._MethodResolver([], {})
        while True:
            call = await super()._request_call()
            refusal = cygrpc._handle_rpc(UNKNOWN_METHOD, nothing, self.interceptors, call, loop, False)
            task = loop.create_task(cygrpc._schedule_rpc_coro(refusal, call, loop, UNKNOWN_METHOD))
            refusals.add(task)
            task.add_done_callback(refusals.discard)


def aio_server(
    options: Sequence[tuple[str, Any]], interceptors: Sequence[grpc.aio.ServerInterceptor] = ()
) -> grpc.aio.Server:
    """As `grpc.aio.server`; serves what was given to it by `add_registered_method_handlers` before it starts."""
    original = cygrpc.AioServer
    cygrpc.AioServer = type("_Answering", (_AnsweringServer,), {"interceptors": tuple(interceptors)})
    try:
        return grpc.aio.server(options=options, interceptors=interceptors)
    finally:
        cygrpc.AioServer = original
