"""What the client sends, and what it refuses to send."""

import numpy as np
import pytest

from sextant.client import InvalidArgument, requests
from sextant.contract.media import Image, Latent, Modality, Table
from sextant.contract.options import options_of
from sextant.contract.parameters_from_wire import read_parameters
from sextant.contract.tasks import ChatMessage, CodeParameters, Conditions, HybridParameters, Role
from sextant.contract.v1 import generation_pb2, media_pb2
from sextant.contract.violations import Violations


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"seed": -1}, "options.seed"),
        ({"seed": 2**64}, "options.seed"),
        ({"priority": "haste"}, "options.priority"),
        ({"max_tokens": -1}, "text.max_tokens"),
        ({"max_tokens": 1.5}, "text.max_tokens"),
        ({"top_k": 2**40}, "text.top_k"),
        ({"stop": ["\udcff"]}, "text.stop"),
        ({"model": "\udcff"}, "options.model"),
        ({"count": -1}, "count"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_its_field(given, field):
    with pytest.raises(InvalidArgument) as refused:
        requests.text_request("x", given)
    assert [violation.field for violation in refused.value.fields] == [field]


def test_text_that_is_not_utf8_is_refused_by_its_field():
    with pytest.raises(InvalidArgument, match=r"^prompt: is not valid UTF-8$"):
        requests.text_request("\udcff", {})
    with pytest.raises(InvalidArgument, match=r"^chat.messages\[1\].content: "):
        requests.text_request([ChatMessage(Role.SYSTEM, "x"), ChatMessage(Role.USER, "\udcff")], {})
    with pytest.raises(InvalidArgument, match=r"^items\[1\]: "):
        requests.encode_request(["x", "\udcff"], {})


def test_media_that_break_their_own_rules_are_refused_by_their_place():
    with pytest.raises(InvalidArgument, match=r"^items\[0\]: "):
        requests.score_request([Table(("a",), np.zeros((1, 1), np.complex64))], "", {})


def test_what_is_left_out_stays_unset():
    message = requests.text_request("x", {"max_tokens": None, "stop": [], "seed": None})
    assert not message.options.HasField("seed")
    assert not message.text.HasField("max_tokens")
    assert message.output == media_pb2.MODALITY_TEXT


def test_zero_is_said_where_zero_means_something():
    message = requests.text_request("x", {"temperature": 0.0, "seed": 0, "top_k": 0})
    assert all(message.text.HasField(field) for field in ("temperature", "top_k"))
    assert message.options.HasField("seed")


def test_a_request_for_a_picture_carries_no_parameters_of_text():
    message = requests.generate_request(
        "a cat",
        {
            "output": Modality.IMAGE,
            "width_px": 64,
            "image_format": "webp",
            "conditions": Conditions("cat", {"fur": "red"}, (Latent("z", np.zeros(3, np.float32)),)),
        },
    )
    assert message.WhichOneof("parameters") is None
    assert (message.output, message.size.width_px) == (media_pb2.MODALITY_IMAGE, 64)
    assert message.encoding.image == media_pb2.IMAGE_FORMAT_WEBP
    assert (message.conditions.class_label, dict(message.conditions.attributes)) == ("cat", {"fur": "red"})
    assert message.conditions.media[0].latent.space == "z"


def test_a_transform_carries_its_source_mask_and_strength_and_no_parameters_of_its_own():
    picture = Image(np.zeros((2, 2, 3), np.uint8))
    message = requests.transform_request(picture, {"prompt": "a dog", "mask": picture, "strength": 0.5, "count": 2})
    assert message.source.WhichOneof("kind") == "image"
    assert (message.mask.width_px, message.strength, message.count) == (2, 0.5, 2)
    assert message.WhichOneof("parameters") is None
    assert requests.transform_request("x [MASK]", {"candidates": 3}).fill_mask.candidates == 3


def test_parameters_of_codes_travel_to_a_model_and_to_a_stage():
    asked = CodeParameters(temperature=0.0, top_k=5, guidance=3.0)
    message = requests.generate_request("a cat", {"codes": asked})
    assert (message.codes.top_k, message.codes.guidance) == (5, 3.0)
    assert message.codes.HasField("temperature")
    assert not message.codes.HasField("top_p")
    assert parameters_of(message) == asked
    picture = Image(np.zeros((2, 2, 3), np.uint8))
    message = requests.transform_request(picture, {"hybrid": HybridParameters({"compose": asked})})
    assert parameters_of(message) == HybridParameters({"compose": asked})


def parameters_of(message):
    """As a gateway reads them."""
    found = Violations()
    parameters = read_parameters(message, found)
    found.raise_any()
    return parameters


def test_guarantees_arrive_as_they_were_asked_for():
    message = generation_pb2.EncodeRequest(
        options=requests.options({"deterministic": True, "latent_space": "z", "request_id": "mine"})
    )
    arrived = options_of(message)
    assert (arrived.deterministic, arrived.exact_likelihood, arrived.latent_space) == (True, False, "z")
    assert arrived.request_id == "mine"
