"""gRPC's own services (health, reflection) on our server: a message that cannot be read is INVALID_ARGUMENT.

By themselves they answer UNKNOWN or INTERNAL, and log a traceback for each.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import grpc
from google.protobuf.message import DecodeError

_UNREADABLE = object()


class Careful:
    """What stands in for the server where such a service is added to it."""

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """Nothing: the registered ones are the same, and the only ones served."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler]) -> None:
        """Add the handlers, made careful."""
        careful = {name: _careful(handler) for name, handler in handlers.items()}
        self._server.add_registered_method_handlers(service, careful)


def _careful(handler: grpc.RpcMethodHandler) -> grpc.RpcMethodHandler:
    if handler.request_streaming and handler.response_streaming:
        answers = handler.stream_stream

        async def stream_stream(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
            async def readable() -> AsyncIterator[Any]:
                async for request in requests:
                    await _check(request, context)
                    yield request

            async for answer in answers(readable(), context):
                yield answer

        return grpc.stream_stream_rpc_method_handler(stream_stream, _reading(handler), handler.response_serializer)
    if handler.response_streaming:
        stream = handler.unary_stream

        async def unary_stream(request: Any, context: Any) -> None:
            await _check(request, context)
            await stream(request, context)

        return grpc.unary_stream_rpc_method_handler(unary_stream, _reading(handler), handler.response_serializer)
    answer = handler.unary_unary

    async def unary_unary(request: Any, context: Any) -> Any:
        await _check(request, context)
        return await answer(request, context)

    return grpc.unary_unary_rpc_method_handler(unary_unary, _reading(handler), handler.response_serializer)


def _reading(handler: grpc.RpcMethodHandler) -> Callable[[bytes], Any]:
    def read(data: bytes) -> Any:
        try:
            return handler.request_deserializer(data)
        except DecodeError:
            return _UNREADABLE

    return read


async def _check(request: Any, context: Any) -> None:
    if request is _UNREADABLE:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not a message of this method")
