"""What a caller may give as content, and what is refused before it is sent."""

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from sextant.client import InvalidArgument, inputs, requests
from sextant.contract.codecs import decode_image
from sextant.contract.media import Audio, Latent, Text
from sextant.contract.tasks import Conditions, FlowParameters, GanParameters, InterpolationPath, VaeParameters
from sextant.contract.to_wire import audio_message
from sextant.contract.v1 import generation_pb2, media_pb2

GREY = np.arange(6, dtype=np.uint8).reshape(2, 3)


def file_of(picture: PIL.Image.Image, name: str) -> bytes:
    file = io.BytesIO()
    picture.save(file, name)
    return file.getvalue()


def fields_of(refused: pytest.ExceptionInfo[InvalidArgument]) -> list[str]:
    return [violation.field for violation in refused.value.fields]


@pytest.mark.parametrize(
    ("picture", "pixels"),
    [
        (PIL.Image.fromarray(GREY), GREY[:, :, None]),
        (PIL.Image.fromarray(np.stack([GREY] * 3, 2)), np.stack([GREY] * 3, 2)),
        (PIL.Image.fromarray(np.stack([GREY] * 4, 2)), np.stack([GREY] * 4, 2)),
        (PIL.Image.fromarray(GREY.astype(np.uint16) * 256), GREY[:, :, None]),
        (PIL.Image.new("P", (3, 2)), np.zeros((2, 3, 3))),
        (PIL.Image.new("CMYK", (3, 2)), np.full((2, 3, 3), 255)),
        (PIL.Image.new("1", (3, 2), 1), np.full((2, 3, 1), 255)),
        (GREY, GREY[:, :, None]),
        (np.stack([GREY] * 3, 2)[:, ::-1], np.stack([GREY] * 3, 2)[:, ::-1]),
    ],
)
def test_pictures_of_every_kind_keep_their_pixels(picture, pixels):
    message = inputs.medium(picture, "source")
    assert np.array_equal(decode_image(message.image.data).pixels, pixels)


@pytest.mark.parametrize("name", ["PNG", "WEBP", "JPEG"])
def test_a_file_goes_as_it_is(name, tmp_path):
    data = file_of(PIL.Image.fromarray(GREY), name)
    path = tmp_path / "picture"
    path.write_bytes(data)
    for content in (data, path):
        message = inputs.medium(content, "source")
        assert message.image.data == data
        assert media_pb2.ImageFormat.Name(message.image.format) == f"IMAGE_FORMAT_{name}"


def test_sound_and_music_are_told_by_their_bytes():
    wav = audio_message(Audio(np.zeros((8, 1), np.float32), 8000)).data
    assert inputs.medium(wav, "source").audio.data == wav
    assert inputs.medium(b"MThd...", "source").music.midi == b"MThd..."


def test_an_array_that_is_no_picture_is_a_tensor():
    for array in (np.float32(GREY), np.zeros((2, 3, 5), np.uint8), np.zeros(4, np.uint8), np.zeros((1, 2, 3, 1), "u1")):
        message = inputs.medium(array, "source")
        assert tuple(message.tensor.shape) == array.shape


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"GIF89a", "is not a PNG, WebP, JPEG, WAV, FLAC or MIDI file"),
        (Path("/nowhere/x.png"), "/nowhere/x.png: No such file"),
        (np.zeros((2, 2), np.complex64), "no element type complex64"),
        (np.zeros((0, 3), np.uint8), "not a picture"),
        (["a"], "cannot be a list"),
        (None, "cannot be a NoneType"),
    ],
)
def test_what_can_be_no_content_is_refused_by_its_place(content, complaint):
    with pytest.raises(InvalidArgument, match=complaint) as refused:
        requests.encode_request([GREY, content], {})
    assert fields_of(refused) == ["items[1]"]


@pytest.mark.parametrize("one", ["text", b"bytes", Path("x.png"), PIL.Image.fromarray(GREY)])
def test_one_item_in_place_of_several_is_refused_rather_than_taken_apart(one):
    for build in (lambda: requests.encode_request(one, {}), lambda: requests.score_request(one, "", {})):
        with pytest.raises(InvalidArgument, match="must be several") as refused:
            build()
        assert fields_of(refused) == ["items"]


def test_a_stack_of_pictures_is_an_item_each():
    message = requests.score_request(np.stack([GREY, GREY]), "", {})
    assert [item.WhichOneof("kind") for item in message.items] == ["image", "image"]


def test_parameters_of_each_family_are_said_as_far_as_they_are_given():
    message = requests.generate_request(None, {"gan": GanParameters(truncation=0.0, mixing_layer=3)})
    assert message.gan == generation_pb2.GanParameters(truncation=0.0, mixing_layer=3)
    assert not message.gan.HasField("inversion_steps")
    empty = requests.generate_request(None, {"vae": VaeParameters(), "gan": None})
    assert empty.WhichOneof("parameters") == "vae"
    flow = requests.generate_request(None, {"flow": FlowParameters(temperature=0.5)})
    assert flow.flow.temperature == 0.5
    assert requests.encode_request([], {"gan": GanParameters(inversion_steps=9)}).gan.inversion_steps == 9
    assert requests.score_request([], "", {"vae": VaeParameters(importance_samples=9)}).vae.importance_samples == 9
    assert requests.transform_request(GREY, {"gan": GanParameters()}).WhichOneof("parameters") == "gan"


@pytest.mark.parametrize(
    "given", [{"temperature": 0.5, "gan": GanParameters()}, {"gan": GanParameters(), "vae": VaeParameters()}]
)
def test_parameters_of_two_families_are_refused_rather_than_one_of_them_dropped(given):
    with pytest.raises(InvalidArgument, match="excludes"):
        requests.generate_request("x", given)


def test_a_parameter_that_cannot_be_sent_is_named():
    with pytest.raises(InvalidArgument) as refused:
        requests.generate_request(None, {"gan": GanParameters(mixing_layer=-1)})
    assert fields_of(refused) == ["gan.mixing_layer"]


def test_a_class_and_attributes_may_be_given_by_name_or_with_all_conditions():
    conditions = Conditions("bag", {"fur": "red", "eyes": "blue"}, (GREY,))
    message = requests.generate_request(
        None, {"conditions": conditions, "class_label": "shirt", "attributes": {"fur": "black"}}
    )
    assert message.conditions.class_label == "shirt"
    assert dict(message.conditions.attributes) == {"fur": "black", "eyes": "blue"}
    assert message.conditions.media[0].HasField("image")
    for build in (
        lambda given: requests.transform_request(GREY, given),
        lambda given: requests.interpolate_request(None, None, given),
        lambda given: requests.encode_request([GREY], given),
        lambda given: requests.decode_request([], given),
        lambda given: requests.score_request([GREY], "", given),
    ):
        assert build({"class_label": "bag"}).conditions.class_label == "bag"
        assert not build({"class_label": None, "attributes": None, "conditions": None}).HasField("conditions")


def test_a_mask_may_be_any_picture_and_nothing_else():
    message = requests.transform_request(GREY, {"mask": PIL.Image.new("1", (3, 2), 1)})
    assert np.array_equal(decode_image(message.mask.data).pixels, np.full((2, 3, 1), 255))
    with pytest.raises(InvalidArgument, match="must be a picture, not text"):
        requests.transform_request(GREY, {"mask": "all of it"})


def test_a_path_says_what_it_was_asked_and_no_more():
    latent = Latent("z", np.zeros(2, np.float32))
    message = requests.interpolate_request(
        latent, GREY, {"frames": 9, "path": "spherical", "traverse_index": 0, "image_format": "webp"}
    )
    assert (message.start.latent.space, message.end.WhichOneof("kind"), message.frames) == ("z", "image", 9)
    assert message.path == generation_pb2.INTERPOLATION_PATH_SPHERICAL
    assert message.HasField("traverse_index")
    assert message.encoding.image == media_pb2.IMAGE_FORMAT_WEBP
    plain = requests.interpolate_request(None, None, {"frames": None, "path": None, "traverse_index": None})
    assert {field.name for field, _ in plain.ListFields()} <= {"options"}
    linear = requests.interpolate_request(None, None, {"path": InterpolationPath.LINEAR})
    assert linear.path == generation_pb2.INTERPOLATION_PATH_LINEAR
    with pytest.raises(InvalidArgument, match="must be one of linear, spherical") as refused:
        requests.interpolate_request(None, None, {"path": "crooked"})
    assert fields_of(refused) == ["path"]


def test_only_latents_are_decoded_since_an_array_does_not_say_its_space():
    message = requests.decode_request([Latent("z", np.float32([1, 2]))], {"class_label": "bag"})
    assert message.latents[0].mean.data == np.float32([1, 2]).tobytes()
    for content in (np.zeros(2, np.float32), Text("x")):
        with pytest.raises(InvalidArgument, match="must be a Latent") as refused:
            requests.decode_request([content], {})
        assert fields_of(refused) == ["latents[0]"]
