"""What a call can end with, read from the details that the gateway sends."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from sextant.contract.errors import FieldViolation, SextantError


class ClientError(Exception):
    """The root of this file. `code` is gRPC's, `reason` ours (see errors.proto), `request_id` the request's."""

    def __init__(self, message: str, code: grpc.StatusCode, reason: str = "", request_id: str = "") -> None:
        super().__init__(message)
        self.code, self.reason, self.request_id = code, reason, request_id


class InvalidArgument(ClientError):
    """The request cannot be served, or not even sent, as it stands; `fields` says which fields are wrong, and why."""

    fields: Sequence[FieldViolation] = ()


class NotFound(ClientError):
    """No model of that name is served."""


class Unsupported(ClientError):
    """No served model, or not the one named, can do this."""


class TooLarge(ClientError):
    """The request is larger than the server takes."""


class Unauthenticated(ClientError):
    """The gateway wants an API key, and was shown none, or one that it does not know or that is expired."""


class PermissionDenied(ClientError):
    """The API key is not for this; the message names the scope that it lacks."""


class Overloaded(ClientError):
    """Queues are full, or the API key's own limit is reached (`reason` tells which).

    `retry_after_s` is when the server expects room, None where it does not say.
    """

    retry_after_s: float | None = None


class Unavailable(ClientError):
    """The gateway or the model is not there (yet, or any more)."""

    retry_after_s: float | None = None


class DeadlineExceeded(ClientError):
    """The timeout passed."""


class Cancelled(ClientError):
    """The call was cancelled, by this side or on the way."""


class ServerError(ClientError):
    """A defect of the server, or an answer that cannot be read; the server's log has more under `request_id`."""


_CLASSES: dict[grpc.StatusCode, type[ClientError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgument,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.FAILED_PRECONDITION: Unsupported,
    grpc.StatusCode.UNIMPLEMENTED: Unsupported,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.CANCELLED: Cancelled,
}
_CLASS_OF_REASON: dict[str, type[ClientError]] = {"MESSAGE_TOO_LARGE": TooLarge}


def from_grpc(error: grpc.RpcError) -> ClientError:
    """The typed error of a failed call."""
    code: grpc.StatusCode = error.code()
    message: str = error.details() or code.name
    reason = request_id = ""
    fields: list[FieldViolation] = []
    retry_after_s: float | None = None
    for detail in _status(error).details:
        info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            reason, request_id = info.reason, info.metadata.get("request_id", "")
        elif detail.Unpack(bad):
            fields = [FieldViolation(v.field, v.description) for v in bad.field_violations]
        elif detail.Unpack(retry):
            retry_after_s = retry.retry_delay.ToTimedelta().total_seconds()
    kind = _CLASS_OF_REASON.get(reason) or _CLASSES.get(code, ServerError)
    typed = kind(message, code, reason, request_id)
    if isinstance(typed, InvalidArgument):
        typed.fields = fields
    if isinstance(typed, Overloaded | Unavailable):
        typed.retry_after_s = retry_after_s
    return typed


def invalid(field: str, description: str) -> InvalidArgument:
    """The error of a request that cannot be sent."""
    refused = InvalidArgument(f"{field}: {description}", grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    refused.fields = [FieldViolation(field, description)]
    return refused


@contextmanager
def reading() -> Iterator[None]:
    """While an answer is read: what does not keep the contract is the server's fault, not the caller's."""
    try:
        yield
    except (SextantError, ValueError) as error:
        raise ServerError(f"the answer cannot be read: {error}", grpc.StatusCode.INTERNAL) from error


def _status(error: grpc.RpcError) -> status_pb2.Status:
    """The details of a failed call; none where a proxy or another server has garbled or left them out."""
    try:
        return rpc_status.from_call(_WithMetadata(error)) or status_pb2.Status()
    except (ValueError, DecodeError):
        return status_pb2.Status()


class _WithMetadata:
    """grpc.aio's errors carry their trailers as a Metadata object, which grpc_status does not read; pairs it does."""

    def __init__(self, error: grpc.RpcError) -> None:
        self._error = error

    def code(self) -> grpc.StatusCode:
        return self._error.code()

    def details(self) -> str:
        return self._error.details() or ""

    def trailing_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        return tuple((key, value) for key, value in self._error.trailing_metadata() or ())
