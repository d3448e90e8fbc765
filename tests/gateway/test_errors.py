"""Every error of ours, as a client sees it at the other end of a real connection."""

import inspect
import logging

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from sextant.contract import errors
from sextant.contract.v1 import errors_pb2, generation_pb2, generation_pb2_grpc
from sextant.gateway.status import to_status
from tests.gateway.scripted import ScriptedDispatcher, failing, serving
from tests.gateway.test_guide import TEXT, G, model

MODELS = {"llm": model("llm", "transformer", (G,), (TEXT,), (TEXT,))}
CODE = grpc.StatusCode


async def failure(error: Exception) -> tuple[grpc.aio.AioRpcError, dict[str, object]]:
    """How a call ends whose dispatcher raises `error`: the error, and its details by type."""
    async with serving(ScriptedDispatcher(MODELS, failing(error))) as (channel, _):
        options = generation_pb2.Options(request_id="id-1")
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await (
                generation_pb2_grpc.GenerationStub(channel)
                .Generate(generation_pb2.GenerateRequest(options=options, prompt="x"))
                .read()
            )
    return failed.value, details_of(failed.value)


def details_of(error: grpc.aio.AioRpcError) -> dict[str, object]:
    """The details of a failed call, by the name of their type."""
    status = rpc_status.from_call(error)
    details: dict[str, object] = {}
    for packed in status.details if status else ():
        name = packed.TypeName().rpartition(".")[2]
        details[name] = getattr(error_details_pb2, name).FromString(packed.value)
    return details


@pytest.mark.parametrize(
    ("error", "code", "reason", "retry_s"),
    [
        (errors.InvalidRequest("prompt", "is odd"), CODE.INVALID_ARGUMENT, "INVALID_FIELD", None),
        (errors.MalformedMessage("prompt", "is not UTF-8"), CODE.INVALID_ARGUMENT, "MALFORMED_MESSAGE", None),
        (errors.MessageTooLarge("5 bytes; at most 4"), CODE.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE", None),
        (errors.ModelNotFound("gone"), CODE.NOT_FOUND, "MODEL_NOT_FOUND", None),
        (errors.UnsupportedTask("llm", "no"), CODE.FAILED_PRECONDITION, "UNSUPPORTED_TASK", None),
        (errors.BundleRefused("llm", "no parity"), CODE.FAILED_PRECONDITION, "BUNDLE_REFUSED", None),
        (errors.NoRoute("nothing fits"), CODE.FAILED_PRECONDITION, "NO_ROUTE", None),
        (errors.Overloaded("queue is full", 1.5), CODE.RESOURCE_EXHAUSTED, "OVERLOADED", 1.5),
        (errors.Unauthenticated("no key"), CODE.UNAUTHENTICATED, "UNAUTHENTICATED", None),
        (errors.PermissionDenied("alice", "score"), CODE.PERMISSION_DENIED, "SCOPE_MISSING", None),
        (errors.RateLimited("too often", 0.5), CODE.RESOURCE_EXHAUSTED, "RATE_LIMITED", 0.5),
        (errors.QuotaExceeded("all used up", 60.0), CODE.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED", 60.0),
        (errors.ModelUnavailable("lost"), CODE.UNAVAILABLE, "MODEL_UNAVAILABLE", 2.0),
        (errors.Draining("stopping"), CODE.UNAVAILABLE, "DRAINING", 1.0),
        (errors.DeadlineExceeded("too late"), CODE.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_each_error_arrives_with_its_code_reason_and_details(error, code, reason, retry_s):
    failed, details = await failure(error)
    assert failed.code() is code
    info = details["ErrorInfo"]
    assert (info.domain, info.reason, info.metadata["request_id"]) == ("sextant", reason, "id-1")
    assert f"ERROR_REASON_{reason}" in errors_pb2.ErrorReason.keys()
    assert details["RequestInfo"].request_id == "id-1"
    # A client that sees only the trailers has it from the details above.
    assert dict(failed.initial_metadata() or ()).get("sextant-request-id", "id-1") == "id-1"
    told = details["RetryInfo"].retry_delay.ToTimedelta().total_seconds() if "RetryInfo" in details else None
    assert told == retry_s
    if isinstance(error, errors.InvalidRequest):
        given = [(v.field, v.description) for v in details["BadRequest"].field_violations]
        assert given == [(v.field, v.description) for v in error.violations]
    else:
        assert "BadRequest" not in details


def test_no_error_of_the_contract_is_forgotten():
    # These three never reach a caller: a process that meets one does not start.
    at_start = {errors.SextantError, errors.ProviderUnavailable, errors.SourceUnavailable}
    arguments = {errors.Overloaded: ("x", 1.0), errors.InvalidRequest: ("f", "d"), errors.MalformedMessage: ("f", "d")}
    arguments |= {errors.UnsupportedTask: ("m", "r"), errors.BundleRefused: ("m", "r")}
    arguments |= {errors.PermissionDenied: ("k", "s"), errors.RateLimited: ("x", 1.0), errors.QuotaExceeded: ("x", 1.0)}
    for _, kind in inspect.getmembers(errors, lambda c: inspect.isclass(c) and issubclass(c, errors.SextantError)):
        if kind not in at_start:
            assert to_status(kind(*arguments.get(kind, ("x",))), "id").code != CODE.INTERNAL.value[0], kind


async def test_a_defect_shows_the_caller_an_id_and_the_operator_a_traceback(caplog):
    with caplog.at_level(logging.ERROR):
        failed, details = await failure(RuntimeError("password is hunter2"))
    assert failed.code() is CODE.INTERNAL
    assert details["ErrorInfo"].reason == "INTERNAL"
    assert "id-1" in failed.details()
    assert "hunter2" not in f"{failed.details()}{failed.trailing_metadata()}"
    record = next(record for record in caplog.records if "id-1" in record.getMessage())
    assert "hunter2" in str(record.exc_info[1])


@pytest.mark.parametrize("text", ["x" * 20_000, "→" * 20_000, "\x00" * 20_000], ids=["ascii", "arrows", "control"])
async def test_a_long_explanation_is_cut_and_does_not_cost_the_error_its_code(text):
    """Beyond 8 KiB of trailers gRPC would report RESOURCE_EXHAUSTED, which a caller might retry."""
    for error, code in (
        (errors.NoRoute(text), CODE.FAILED_PRECONDITION),
        (errors.ModelNotFound(text), CODE.NOT_FOUND),
        (errors.InvalidRequest(text, text), CODE.INVALID_ARGUMENT),
    ):
        failed, details = await failure(error)
        assert failed.code() is code
        assert details["ErrorInfo"].metadata["request_id"] == "id-1"


async def test_of_too_many_violations_the_first_arrive():
    violations = [errors.FieldViolation(f"items[{n}].tensor.shape", "y" * 300) for n in range(32)]
    failed, details = await failure(errors.InvalidRequest("items[0]", "z", *violations))
    assert failed.code() is CODE.INVALID_ARGUMENT
    fields = [violation.field for violation in details["BadRequest"].field_violations]
    assert fields == ["items[0]", *(f"items[{n}].tensor.shape" for n in range(len(fields) - 1))]
    assert 5 < len(fields) < 32


async def test_32_ordinary_violations_all_arrive():
    violations = [errors.FieldViolation(f"items[{n}].text", "must not be empty") for n in range(32)]
    _, details = await failure(errors.InvalidRequest(violations[0].field, violations[0].description, *violations[1:]))
    assert len(details["BadRequest"].field_violations) == 32
