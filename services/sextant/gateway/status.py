"""The one place where our errors become gRPC's: code, and details that machines can read."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from sextant.contract import errors

log = logging.getLogger(__name__)

_DOMAIN = "sextant"
_RETRY_DRAINING_S = 1.0
_RETRY_UNAVAILABLE_S = 2.0

# All of this travels in trailers. A peer that finds more than 8 KiB there drops the whole answer and reports
# RESOURCE_EXHAUSTED instead. The message counts twice, once of it percent-encoded: up to four times its bytes.
_LONGEST_MESSAGE = 800
_LONGEST_VALUE = 128
_LONGEST_DESCRIPTION = 300
_ALL_VIOLATIONS = 3000


def to_status(error: Exception, request_id: str) -> status_pb2.Status:
    """`error` as a google.rpc.Status. What is not ours becomes INTERNAL, told to the log and not to the caller."""
    status = _of(error, request_id)
    status.details.add().Pack(error_details_pb2.RequestInfo(request_id=request_id))
    return status


def code_of(status: status_pb2.Status) -> grpc.StatusCode:
    """The gRPC code of a status."""
    return next(code for code in grpc.StatusCode if code.value[0] == status.code)


async def abort(context: Any, status: status_pb2.Status) -> NoReturn:
    """End the call with `status` and its details. Always raises, as gRPC's abort does; a cancel where nobody hears."""
    try:
        await context.abort_with_status(rpc_status.to_status(status))
    except grpc.aio.InternalError as gone:
        raise asyncio.CancelledError from gone
    raise AssertionError("abort_with_status raises")


def _of(error: Exception, request_id: str) -> status_pb2.Status:
    match error:
        case errors.MalformedMessage():
            return _invalid(error, "MALFORMED_MESSAGE", request_id)
        case errors.InvalidRequest():
            return _invalid(error, "INVALID_FIELD", request_id)
        case errors.ModelNotFound():
            info = _info("MODEL_NOT_FOUND", request_id, model=error.model)
            return _status(grpc.StatusCode.NOT_FOUND, str(error), [info])
        case errors.UnsupportedTask():
            info = _info("UNSUPPORTED_TASK", request_id, model=error.model)
            return _status(grpc.StatusCode.FAILED_PRECONDITION, str(error), [info])
        case errors.BundleRefused():
            info = _info("BUNDLE_REFUSED", request_id, model=error.bundle)
            return _status(grpc.StatusCode.FAILED_PRECONDITION, str(error), [info])
        case errors.NoRoute():
            return _status(grpc.StatusCode.FAILED_PRECONDITION, str(error), [_info("NO_ROUTE", request_id)])
        case errors.Unauthenticated():
            return _status(grpc.StatusCode.UNAUTHENTICATED, str(error), [_info("UNAUTHENTICATED", request_id)])
        case errors.PermissionDenied():
            info = _info("SCOPE_MISSING", request_id, scope=error.scope)
            return _status(grpc.StatusCode.PERMISSION_DENIED, str(error), [info])
        case errors.RateLimited():
            details = [_info("RATE_LIMITED", request_id), _retry(error.retry_after_s)]
            return _status(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error), details)
        case errors.QuotaExceeded():
            details = [_info("QUOTA_EXCEEDED", request_id), _retry(error.retry_after_s)]
            return _status(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error), details)
        case errors.Overloaded():
            details = [_info("OVERLOADED", request_id), _retry(error.retry_after_s)]
            return _status(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error), details)
        case errors.MessageTooLarge():
            return _status(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error), [_info("MESSAGE_TOO_LARGE", request_id)])
        case errors.ModelUnavailable():
            details = [_info("MODEL_UNAVAILABLE", request_id), _retry(_RETRY_UNAVAILABLE_S)]
            return _status(grpc.StatusCode.UNAVAILABLE, str(error), details)
        case errors.Draining():
            details = [_info("DRAINING", request_id), _retry(_RETRY_DRAINING_S)]
            return _status(grpc.StatusCode.UNAVAILABLE, str(error), details)
        case errors.DeadlineExceeded():
            info = _info("DEADLINE_EXCEEDED", request_id)
            return _status(grpc.StatusCode.DEADLINE_EXCEEDED, str(error), [info])
        case errors.Cancelled():
            return _status(grpc.StatusCode.CANCELLED, str(error), [])
    log.error("request %s failed", request_id, exc_info=error)
    message = f"internal error; the log has it under request id {request_id}"
    return _status(grpc.StatusCode.INTERNAL, message, [_info("INTERNAL", request_id)])


def _invalid(error: errors.InvalidRequest, reason: str, request_id: str) -> status_pb2.Status:
    bad = error_details_pb2.BadRequest()
    for violation in error.violations:
        told = error_details_pb2.BadRequest.FieldViolation(
            field=_cut(violation.field, _LONGEST_VALUE),
            description=_cut(violation.description, _LONGEST_DESCRIPTION),
        )
        if bad.ByteSize() + told.ByteSize() > _ALL_VIOLATIONS:
            break
        bad.field_violations.append(told)
    return _status(grpc.StatusCode.INVALID_ARGUMENT, str(error), [_info(reason, request_id), bad])


def _info(reason: str, request_id: str, **metadata: str) -> error_details_pb2.ErrorInfo:
    told = {name: _cut(value, _LONGEST_VALUE) for name, value in metadata.items()}
    return error_details_pb2.ErrorInfo(reason=reason, domain=_DOMAIN, metadata={"request_id": request_id, **told})


def _retry(seconds: float) -> error_details_pb2.RetryInfo:
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromNanoseconds(int(seconds * 1e9))
    return retry


def _status(code: grpc.StatusCode, message: str, details: Sequence[Message]) -> status_pb2.Status:
    packed = []
    for detail in details:
        packed.append(any_pb2.Any())
        packed[-1].Pack(detail)
    return status_pb2.Status(code=code.value[0], message=_cut(message, _LONGEST_MESSAGE), details=packed)


def _cut(text: str, most: int) -> str:
    """`text`, or as much of it as leaves `most` bytes of UTF-8 with a mark that there was more."""
    encoded = text.encode("utf-8", "replace")
    return text if len(encoded) <= most else encoded[: most - 3].decode("utf-8", "ignore") + "..."
