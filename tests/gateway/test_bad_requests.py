"""What is refused at the door, on every service, with the gateway still serving."""

import grpc
import pytest

from sextant.contract.events import Result
from sextant.contract.media import Modality, Text
from sextant.contract.tasks import TaskKind
from sextant.contract.v1 import (
    generation_pb2,
    generation_pb2_grpc,
    guide_pb2,
    guide_pb2_grpc,
    models_pb2,
    models_pb2_grpc,
)
from tests.e2e.conftest import probe_request, text_request
from tests.gateway.scripted import ScriptedDispatcher, answering, serving
from tests.gateway.test_errors import details_of
from tests.gateway.test_guide import MODELS, model

CODE = grpc.StatusCode
NAN, INF = float("nan"), float("inf")
UNARY = ["Generation/Encode", "Generation/Decode", "Generation/Score"]
UNARY += ["Guide/Decide", "Models/ListModels", "Models/GetModel"]
STREAMS = ["Generation/Generate", "Generation/Transform", "Generation/Interpolate", "Generation/EncodeStream"]


@pytest.fixture
def dispatcher() -> ScriptedDispatcher:
    """In place of a real host: what is refused at the door reaches none."""
    models = {"probe": model("probe", "probe", (TaskKind.GENERATE,), (Modality.TEXT,), (Modality.TEXT,))}
    return ScriptedDispatcher(models, answering(Result(0, Text("fine"))))


@pytest.fixture(autouse=True)
async def still_serving(channel):
    yield
    events = [e async for e in generation_pb2_grpc.GenerationStub(channel).Generate(probe_request(steps=1))]
    assert events[-1].WhichOneof("event") == "receipt"


async def refusal(call) -> tuple[CODE, str, list[str]]:
    """The code, the reason and the named fields of a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await (call.read() if isinstance(call, grpc.aio.UnaryStreamCall) else call)
    details = details_of(failed.value)
    fields = [v.field for v in details["BadRequest"].field_violations] if "BadRequest" in details else []
    if details:
        assert details["RequestInfo"].request_id == details["ErrorInfo"].metadata["request_id"] != ""
    return failed.value.code(), details["ErrorInfo"].reason if details else "", fields


def raw(channel: grpc.aio.Channel, method: str, data: bytes):
    make = channel.unary_unary if method in UNARY else channel.unary_stream
    return make(f"/sextant.v1.{method}", request_serializer=None, response_deserializer=None)(data)


@pytest.mark.parametrize("method", [*STREAMS, *UNARY])
async def test_bytes_that_are_no_message_are_the_callers_fault(channel, method):
    code, reason, _ = await refusal(raw(channel, method, b"\xff" * 40))
    assert (code, reason) == (CODE.INVALID_ARGUMENT, "MALFORMED_MESSAGE")


@pytest.mark.parametrize(
    ("method", "message", "field"),
    [
        ("Generation/Generate", generation_pb2.GenerateRequest(prompt="@@@@"), "prompt"),
        ("Generation/Score", generation_pb2.ScoreRequest(context="@@@@"), "context"),
        ("Guide/Decide", guide_pb2.DecideRequest(model="@@@@"), "model"),
        ("Models/GetModel", models_pb2.GetModelRequest(name="@@@@"), "name"),
    ],
)
async def test_text_that_is_not_utf8_is_named(channel, method, message, field):
    data = message.SerializeToString().replace(b"@@@@", b"\xff\xfe\xfd\xfc")
    code, reason, fields = await refusal(raw(channel, method, data))
    assert (code, reason, fields) == (CODE.INVALID_ARGUMENT, "MALFORMED_MESSAGE", [field])


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (generation_pb2.GenerateRequest(prompt="x", output=99), "output"),
        (generation_pb2.GenerateRequest(options=generation_pb2.Options(priority=77), prompt="x"), "options.priority"),
        (text_request(temperature=NAN), "text.temperature"),
        (text_request(top_p=INF), "text.top_p"),
        (
            generation_pb2.GenerateRequest(options=generation_pb2.Options(request_id="a\nb"), prompt="x"),
            "options.request_id",
        ),
    ],
)
async def test_values_outside_the_contract_are_named(channel, request_, field):
    call = generation_pb2_grpc.GenerationStub(channel).Generate(request_)
    assert await refusal(call) == (CODE.INVALID_ARGUMENT, "INVALID_FIELD", [field])


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (guide_pb2.DecideRequest(), "task"),
        (guide_pb2.DecideRequest(task=99), "task"),
        (guide_pb2.DecideRequest(task=1, deadline_s=NAN), "deadline_s"),
        (guide_pb2.DecideRequest(task=1, deadline_s=-1), "deadline_s"),
    ],
)
async def test_the_guide_names_what_it_cannot_read(channel, request_, field):
    call = guide_pb2_grpc.GuideStub(channel).Decide(request_)
    assert await refusal(call) == (CODE.INVALID_ARGUMENT, "INVALID_FIELD", [field])


async def test_the_catalogue_names_what_it_cannot_find(channel):
    models = models_pb2_grpc.ModelsStub(channel)
    assert await refusal(models.GetModel(models_pb2.GetModelRequest())) == (
        CODE.INVALID_ARGUMENT,
        "INVALID_FIELD",
        ["name"],
    )
    for name in ("nonesuch", "x" * 20_000):
        code, reason, _ = await refusal(models.GetModel(models_pb2.GetModelRequest(name=name)))
        assert (code, reason) == (CODE.NOT_FOUND, "MODEL_NOT_FOUND")
    code, _, fields = await refusal(models.ListModels(models_pb2.ListModelsRequest(task=99)))
    assert (code, fields) == (CODE.INVALID_ARGUMENT, ["task"])


async def test_a_message_far_too_large_is_refused_before_it_is_read(channel):
    stub = generation_pb2_grpc.GenerationStub(channel)
    code, _, _ = await refusal(stub.Generate(generation_pb2.GenerateRequest(prompt="x" * 1_000_000)))
    assert code is CODE.RESOURCE_EXHAUSTED


async def test_a_method_that_does_not_exist_is_unimplemented(channel):
    for path in ("/sextant.v1.Generation/Dream", "/sextant.v2.Generation/Generate"):
        call = channel.unary_unary(path, request_serializer=None, response_deserializer=None)(b"")
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call
        assert failed.value.code() is CODE.UNIMPLEMENTED


async def test_parameters_of_another_family_are_refused_by_the_field_that_is_set():
    dispatcher = ScriptedDispatcher(MODELS, answering())
    async with serving(dispatcher) as (channel, _):
        stub = generation_pb2_grpc.GenerationStub(channel)
        request = generation_pb2.GenerateRequest(prompt="x", diffusion=generation_pb2.DiffusionParameters(steps=3))
        assert await refusal(stub.Generate(request)) == (CODE.INVALID_ARGUMENT, "INVALID_FIELD", ["diffusion"])
    assert dispatcher.requests == []


async def test_a_named_model_that_cannot_do_it_and_a_wish_that_none_fulfils_are_told_apart(channel):
    stub = generation_pb2_grpc.GenerationStub(channel)
    for name, output, expected in (
        ("nonesuch", 0, (CODE.NOT_FOUND, "MODEL_NOT_FOUND", [])),
        ("probe", 2, (CODE.FAILED_PRECONDITION, "UNSUPPORTED_TASK", [])),
        ("", 2, (CODE.FAILED_PRECONDITION, "NO_ROUTE", [])),
    ):
        options = generation_pb2.Options(model=name)
        request = generation_pb2.GenerateRequest(options=options, prompt="x", output=output)
        assert await refusal(stub.Generate(request)) == expected
