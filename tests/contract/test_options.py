"""Who should answer, and how."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sextant.contract.codecs import AudioFormat, ImageFormat
from sextant.contract.errors import InvalidRequest
from sextant.contract.options import Encoding, Options, Priority, encoding_of, options_of
from sextant.contract.v1 import generation_pb2, guide_pb2
from tests.contract.strategies import REQUESTS


@pytest.mark.parametrize("request_type", REQUESTS)
def test_every_request_carries_the_same_options(request_type: type[generation_pb2.GenerateRequest]) -> None:
    request = request_type(
        options={
            "model": "smollm2-135m",
            "priority": "PRIORITY_SPEED",
            "guarantees": {"exact_likelihood": True, "deterministic": True, "latent_space": "celeba.z"},
            "seed": 2**64 - 1,
            "request_id": "batch 7/12",
        }
    )
    assert options_of(request) == Options(
        model="smollm2-135m",
        priority=Priority.SPEED,
        exact_likelihood=True,
        deterministic=True,
        latent_space="celeba.z",
        seed=2**64 - 1,
        request_id="batch 7/12",
    )
    assert options_of(request_type()) == Options()


def test_seed_zero_is_a_seed() -> None:
    assert options_of(generation_pb2.GenerateRequest(options={"seed": 0})).seed == 0


def test_every_priority_of_the_contract_is_known_by_its_own_name() -> None:
    for name, number in guide_pb2.Priority.items():
        request = generation_pb2.GenerateRequest(options=generation_pb2.Options(priority=name))
        expected = None if number == 0 else Priority(name.removeprefix("PRIORITY_").lower())
        assert options_of(request).priority is expected


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=128))
def test_128_printable_ascii_characters_are_a_request_id(request_id: str) -> None:
    request = generation_pb2.GenerateRequest(options={"request_id": request_id})
    assert options_of(request).request_id == request_id


@pytest.mark.parametrize("request_id", ["a" * 129, "a\nb", "é", "\x7f", "\0"])
def test_no_other_text_is_a_request_id(request_id: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        options_of(generation_pb2.GenerateRequest(options={"request_id": request_id}))
    assert [violation.field for violation in refusal.value.violations] == ["options.request_id"]


def test_all_that_is_wrong_with_the_options_is_told_at_once() -> None:
    options = generation_pb2.Options(
        model="m" * 65,
        priority=99,  # type: ignore[arg-type]
        guarantees=guide_pb2.Guarantees(latent_space="z" * 129),
        request_id="\n",
    )
    with pytest.raises(InvalidRequest) as refusal:
        options_of(generation_pb2.GenerateRequest(options=options))
    assert [violation.field for violation in refusal.value.violations] == [
        "options.priority",
        "options.model",
        "options.guarantees.latent_space",
        "options.request_id",
    ]


def test_answers_are_png_and_wav_unless_asked_otherwise() -> None:
    assert encoding_of(generation_pb2.GenerateRequest()) == Encoding(ImageFormat.PNG, AudioFormat.WAV)
    request = generation_pb2.GenerateRequest(encoding={"image": "IMAGE_FORMAT_WEBP", "audio": "AUDIO_FORMAT_FLAC"})
    assert encoding_of(request) == Encoding(ImageFormat.WEBP, AudioFormat.FLAC)


def test_an_encoding_nobody_knows_is_refused_by_name() -> None:
    request = generation_pb2.GenerateRequest(encoding={"image": 9, "audio": 9})
    with pytest.raises(InvalidRequest) as refusal:
        encoding_of(request)
    assert [violation.field for violation in refusal.value.violations] == ["encoding.image", "encoding.audio"]
