"""A gateway that answers each call as its script says: for failures that a healthy one does not have on order."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from sextant.contract.v1 import generation_pb2, generation_pb2_grpc, models_pb2, models_pb2_grpc

Answer = Message | status_pb2.Status


def failure(
    code: grpc.StatusCode, message: str, *, reason: str = "", retry_s: float | None = None
) -> status_pb2.Status:
    """A failure with the details that the gateway sends."""
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=reason, metadata={"request_id": "r-1"})]
    if retry_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(int(retry_s * 1e9))
        details.append(retry)
    status = status_pb2.Status(code=code.value[0], message=message)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


class Script(generation_pb2_grpc.GenerationServicer, models_pb2_grpc.ModelsServicer):
    """Answers call by call; `calls` counts them. A stream's answer is a list of events, which a failure may end."""

    def __init__(self, *answers: Answer | list[Answer]) -> None:
        self._answers = deque(answers)
        self.calls = 0

    def _next(self) -> Answer | list[Answer]:
        self.calls += 1
        return self._answers.popleft()

    def Generate(self, request, context):  # noqa: N802 - gRPC's name
        answer = self._next()
        for event in answer if isinstance(answer, list) else [answer]:
            if isinstance(event, status_pb2.Status):
                context.abort_with_status(rpc_status.to_status(event))
            yield event

    def ListModels(self, request, context):  # noqa: N802 - gRPC's name
        answer = self._next()
        if isinstance(answer, status_pb2.Status):
            context.abort_with_status(rpc_status.to_status(answer))
        return answer


@contextmanager
def serving(script: Script) -> Iterator[str]:
    """The script on a loopback port."""
    server = grpc.server(ThreadPoolExecutor(4))
    generation_pb2_grpc.add_GenerationServicer_to_server(script, server)
    models_pb2_grpc.add_ModelsServicer_to_server(script, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0)


def event(**body: object) -> generation_pb2.GenerateEvent:
    return generation_pb2.GenerateEvent(**body)


def text_chunk(content: str) -> generation_pb2.GenerateEvent:
    return event(chunk=generation_pb2.Chunk(text=generation_pb2.TextDelta(content=content)))


NO_MODELS = models_pb2.ListModelsResponse()
