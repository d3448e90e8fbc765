"""Bad input: each a typed error that names the field, with the server still serving."""

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from sextant.contract.v1 import errors_pb2, generation_pb2, media_pb2
from tests.e2e.conftest import encode_request, probe_request, score_request, text_request

GENERATE = "/sextant.v1.Generation/Generate"


def refusal(call) -> tuple[grpc.StatusCode, str, dict[str, str]]:
    """Runs what must fail; its code, reason and field violations."""
    with pytest.raises(grpc.RpcError) as failed:
        answer = call()
        if hasattr(answer, "__iter__"):
            list(answer)
    status = rpc_status.from_call(failed.value)
    assert status is not None, f"no details with {failed.value.code()}: {failed.value.details()}"
    reason, fields = "", {}
    for detail in status.details:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            assert info.domain == "sextant"
            assert f"ERROR_REASON_{info.reason}" in errors_pb2.ErrorReason.keys()
            reason = info.reason
        elif detail.Unpack(bad):
            fields = {violation.field: violation.description for violation in bad.field_violations}
    assert "Traceback" not in failed.value.details()
    return failed.value.code(), reason, fields


@pytest.fixture(autouse=True)
def still_serving(stubs):
    yield
    assert list(stubs.generation.Generate(probe_request(steps=1)))


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (text_request(""), "prompt"),
        (text_request("word " * 9000), "prompt"),
        (text_request(temperature=-1.0), "text.temperature"),
        (text_request(temperature=float("nan")), "text.temperature"),
        (text_request(top_p=float("inf")), "text.top_p"),
        (text_request(top_p=1.5), "text.top_p"),
        (text_request(min_p=-0.1), "text.min_p"),
        (text_request(repetition_penalty=0.0), "text.repetition_penalty"),
        (text_request(max_tokens=0), "text.max_tokens"),
        (text_request(logprobs=21), "text.logprobs"),
        (text_request(stop=[""]), "text.stop[0]"),
        (text_request(stop=["x"] * 17), "text.stop"),
        (generation_pb2.GenerateRequest(options=generation_pb2.Options(priority=77), prompt="x"), "options.priority"),
        (generation_pb2.GenerateRequest(prompt="x", output=99), "output"),
        (generation_pb2.GenerateRequest(prompt="x", count=65), "count"),
        (
            generation_pb2.GenerateRequest(
                prompt="x", chat=generation_pb2.Chat(messages=[generation_pb2.ChatMessage(role=2, content="x")])
            ),
            "chat",
        ),
        (
            generation_pb2.GenerateRequest(
                chat=generation_pb2.Chat(messages=[generation_pb2.ChatMessage(role=3, content="x")])
            ),
            "chat.messages",
        ),
        (
            generation_pb2.GenerateRequest(
                chat=generation_pb2.Chat(messages=[generation_pb2.ChatMessage(role=2, content="x")]),
                text=generation_pb2.TextParameters(continue_prompt=True),
            ),
            "text.continue_prompt",
        ),
        (
            generation_pb2.GenerateRequest(prompt="x", diffusion=generation_pb2.DiffusionParameters(steps=10)),
            "diffusion",
        ),
        (
            generation_pb2.GenerateRequest(options=generation_pb2.Options(request_id="a\nb"), prompt="x"),
            "options.request_id",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_field_is_named(stubs, request_, field):
    code, reason, fields = refusal(lambda: stubs.generation.Generate(request_))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert reason == "INVALID_FIELD"
    assert any(name == field or name.startswith(field) for name in fields), fields
    assert all(fields.values())


def test_all_bad_fields_are_named_at_once(stubs):
    _, _, fields = refusal(lambda: stubs.generation.Generate(text_request("", temperature=-1.0, top_p=2.0)))
    assert {"prompt", "text.temperature", "text.top_p"} <= set(fields)


def raw_call(channel, data: bytes):
    return channel.unary_stream(GENERATE, request_serializer=None, response_deserializer=None)(data)


def test_invalid_utf8_at_the_wire_is_refused_by_field(channel):
    good = generation_pb2.GenerateRequest(prompt="@@@@").SerializeToString()
    code, reason, fields = refusal(lambda: raw_call(channel, good.replace(b"@@@@", b"\xff\xfe\xfd\xfc")))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert reason == "MALFORMED_MESSAGE"
    assert list(fields) == ["prompt"]


def test_bytes_that_are_no_message_are_refused(channel):
    code, reason, _ = refusal(lambda: raw_call(channel, b"\xff" * 40))
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE")


def test_a_message_over_the_limit_is_refused(channel, stubs):
    huge = generation_pb2.GenerateRequest(prompt="x" * (33 * 2**20))
    with pytest.raises(grpc.RpcError) as failed:
        list(stubs.generation.Generate(huge))
    assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_text_longer_than_the_model_reads_is_refused_with_both_numbers(stubs):
    code, _, fields = refusal(lambda: stubs.generation.Encode(encode_request("fine", "word " * 3000)))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "512" in fields["items[1].text"]


def test_nothing_to_encode_or_score_is_refused(stubs):
    for call in (stubs.generation.Encode, stubs.generation.Score):
        request = encode_request() if call is stubs.generation.Encode else score_request()
        code, _, fields = refusal(lambda call=call, request=request: call(request))
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert "items" in fields


def test_an_unknown_model_is_not_found(stubs):
    code, reason, _ = refusal(lambda: stubs.generation.Generate(text_request(model="gpt-17")))
    assert (code, reason) == (grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND")


def test_a_model_that_cannot_do_the_task_says_so(stubs):
    code, reason, _ = refusal(lambda: stubs.generation.Generate(text_request(model="minilm-l6-v2")))
    assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "UNSUPPORTED_TASK")


def test_what_no_model_can_do_has_no_route(stubs):
    request = generation_pb2.GenerateRequest(prompt="a boot", output=media_pb2.MODALITY_IMAGE)
    code, reason, _ = refusal(lambda: stubs.generation.Generate(request))
    assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NO_ROUTE")
    latent = media_pb2.Latent(space="vae/z", mean=media_pb2.Tensor(element_type=1, shape=[2], data=b"\0" * 8))
    code, reason, _ = refusal(lambda: stubs.generation.Decode(generation_pb2.DecodeRequest(latents=[latent])))
    assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NO_ROUTE")


def test_a_defect_of_a_model_is_internal_and_shows_nothing(stubs):
    code, reason, _ = refusal(lambda: stubs.generation.Generate(probe_request("break")))
    assert (code, reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("wrong-sha", "sha256"),
        ("truncated-onnx", "model.onnx"),
        ("outside", "leaves the bundle"),
        ("no-parity", "parity"),
    ],
)
def test_a_bundle_that_must_not_be_served_is_refused_with_its_reason(stubs, model, said):
    with pytest.raises(grpc.RpcError) as failed:
        list(stubs.generation.Generate(text_request(model=model)))
    assert said in failed.value.details()
    code, reason, _ = refusal(lambda: stubs.generation.Generate(text_request(model=model)))
    assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "BUNDLE_REFUSED")
