"""What models make, to messages and back."""

import hashlib
from math import log

import numpy as np
import pytest
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sextant.contract import events, media, wire_enums
from sextant.contract.codecs import AudioFormat, ImageFormat, pcm_s16le
from sextant.contract.media_from_wire import read_media
from sextant.contract.options import PRIORITY_TO_WIRE, Encoding
from sextant.contract.to_wire import content_sha256, event_message, likelihood_message, media_message, tensor_message
from sextant.contract.v1 import generation_pb2, guide_pb2, media_pb2, models_pb2
from tests.contract.strategies import pictures, sounds

floats = hnp.arrays(
    st.sampled_from([np.float16, np.float32, np.float64]),
    hnp.array_shapes(max_dims=3, max_side=4),
    elements=st.floats(-100, 100, width=16),
)
token = events.TokenLogProb(7, b"\xe2\x82", -0.5, (events.TokenAlternative(7, b"\xe2\x82", -0.5),))


def delivered(content: media.Media, encoding: Encoding = Encoding()) -> media.Media:  # noqa: B008
    """`content` as the other side reads it."""
    data = media_message(content, encoding).SerializeToString()
    return read_media(media_pb2.Media.FromString(data))


class TestMedia:
    @given(st.text())
    def test_text_arrives_as_it_was(self, content: str) -> None:
        assert delivered(media.Text(content)) == media.Text(content)

    @given(pictures(channels=(3,)), st.sampled_from([ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.RAW_UINT8]))
    def test_a_picture_arrives_pixel_for_pixel(self, picture: media.Image, image_format: ImageFormat) -> None:
        read = delivered(picture, Encoding(image=image_format))
        assert isinstance(read, media.Image)
        assert np.array_equal(read.pixels, picture.pixels)

    @given(pictures(), st.sampled_from(list(ImageFormat)))
    def test_what_is_said_of_a_picture_is_what_the_file_holds(
        self, picture: media.Image, image_format: ImageFormat
    ) -> None:
        message = media_message(picture, Encoding(image=image_format)).image
        read = read_media(media_pb2.Media(image=message))
        assert isinstance(read, media.Image)
        height, width, channels = read.pixels.shape
        assert (message.height_px, message.width_px) == (height, width)
        if image_format is not ImageFormat.WEBP:  # which drops an alpha channel that is opaque throughout
            assert message.channels == channels

    @given(sounds(), st.sampled_from(list(AudioFormat)))
    def test_a_sound_arrives_sample_for_sample(self, sound: media.Audio, audio_format: AudioFormat) -> None:
        read = delivered(sound, Encoding(audio=audio_format))
        assert isinstance(read, media.Audio)
        assert np.array_equal(read.samples, sound.samples)
        assert read.sample_rate_hz == sound.sample_rate_hz

    def test_music_arrives_as_it_was(self) -> None:
        midi = b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk\0\0\0\4\0\xff\x2f\0"
        assert delivered(media.Music(midi)) == media.Music(midi)

    @given(floats)
    def test_a_tensor_arrives_as_it_was(self, array: np.ndarray) -> None:
        read = delivered(media.Tensor(array))
        assert isinstance(read, media.Tensor)
        assert read.array.dtype == array.dtype
        assert np.array_equal(read.array, array)

    @given(floats, st.booleans())
    def test_a_latent_arrives_with_its_space_and_variance(self, mean: np.ndarray, is_point: bool) -> None:
        variance = None if is_point else np.abs(mean)
        read = delivered(media.Latent("celeba.z", mean, variance))
        assert isinstance(read, media.Latent)
        assert read.space == "celeba.z"
        assert np.array_equal(read.mean, mean)
        assert (read.variance is None) is is_point
        if read.variance is not None:
            assert np.array_equal(read.variance, np.abs(mean))

    def test_a_table_arrives_with_its_columns(self) -> None:
        table = media.Table(("height", "weight"), np.array([[1.8, 75.0], [1.6, 60.0]]))
        read = delivered(table)
        assert isinstance(read, media.Table)
        assert read.columns == table.columns
        assert np.array_equal(read.values, table.values)

    def test_an_element_type_the_contract_lacks_is_not_sent_as_another(self) -> None:
        with pytest.raises(ValueError, match="complex"):
            tensor_message(np.zeros(2, dtype=np.complex64))


class TestReceipts:
    def test_the_hash_is_of_what_a_client_would_write_to_a_file(self) -> None:
        picture = media_message(media.Image(np.zeros((2, 2, 3), dtype=np.uint8)))
        sound = media_message(media.Audio(np.zeros((4, 1), dtype=np.float32), 8_000))
        text = media_message(media.Text("naïve"))
        latent = media_message(media.Latent("z", np.ones(2), np.zeros(2)))
        table = media_message(media.Table(("a",), np.ones((2, 1))))
        expected = [
            (picture, picture.image.data),
            (sound, sound.audio.data),
            (text, "naïve".encode()),
            (latent, np.ones(2).tobytes() + np.zeros(2).tobytes()),
            (table, np.ones(2).tobytes()),
            (media_message(media.Tensor(np.ones(3))), np.ones(3).tobytes()),
            (media_message(media.Music(b"MThd")), b"MThd"),
        ]
        for message, content in expected:
            assert content_sha256(message) == hashlib.sha256(content).digest()


class TestEvents:
    def test_progress_carries_its_preview_in_the_encoding_asked_for(self) -> None:
        preview = media.Image(np.zeros((2, 2, 3), dtype=np.uint8))
        event = events.Event(3, events.Progress(item=1, step=4, total_steps=20, preview=preview))
        message = event_message(event, 17, Encoding(image=ImageFormat.WEBP))
        assert message.sequence == 17
        assert (message.progress.item, message.progress.step, message.progress.total_steps) == (1, 4, 20)
        assert message.progress.preview.image.format == media_pb2.IMAGE_FORMAT_WEBP
        bare = event_message(events.Event(0, events.Progress(0, 1, 0)), 1)
        assert not bare.progress.HasField("preview")

    def test_text_chunks_carry_their_tokens(self) -> None:
        message = event_message(events.Event(0, events.Chunk(2, events.TextDelta("€", (token,)))), 1)
        assert message.chunk.item == 2
        assert message.chunk.text.content == "€"
        assert message.chunk.text.tokens[0].token == b"\xe2\x82"
        assert message.chunk.text.tokens[0].alternatives[0].logprob_nats == -0.5

    def test_chunks_of_sound_are_pcm_whatever_the_result_will_be(self) -> None:
        sound = media.Audio(np.full((4, 2), 0.25, dtype=np.float32), 24_000)
        message = event_message(events.Event(0, events.Chunk(0, sound)), 1, Encoding(audio=AudioFormat.FLAC))
        assert message.chunk.audio.format == media_pb2.AUDIO_FORMAT_PCM_S16LE
        assert message.chunk.audio.data == pcm_s16le(sound.samples)
        assert (message.chunk.audio.sample_rate_hz, message.chunk.audio.channels) == (24_000, 2)

    def test_a_result_says_why_it_ended_and_what_fills_its_blanks(self) -> None:
        fills = ((events.TokenAlternative(5, b"sunny", -0.1), events.TokenAlternative(6, b"grey", -2.5)),)
        body = events.Result(0, media.Text("A sunny day."), events.FinishReason.STOP, fills=fills)
        result = event_message(events.Event(0, body), 1).result
        assert result.media.text.content == "A sunny day."
        assert result.finish_reason == generation_pb2.FINISH_REASON_STOP
        assert [candidate.token for candidate in result.fills[0].candidates] == [b"sunny", b"grey"]

    def test_a_likelihood_is_never_passed_off_as_a_medium(self) -> None:
        body = events.Result(0, events.Likelihood(-1.0, 1, events.Estimator.EXACT))
        with pytest.raises(ValueError, match="likelihood"):
            event_message(events.Event(0, body), 1)


class TestLikelihoods:
    @given(st.floats(-1e6, 1e3), st.integers(1, 10**6), st.sampled_from(list(events.Estimator)))
    def test_bits_per_dimension_say_the_same_as_the_nats(
        self, nats: float, dimensions: int, estimator: events.Estimator
    ) -> None:
        message = likelihood_message(events.Likelihood(nats, dimensions, estimator, 0.5, (token,)))
        assert -message.bits_per_dimension * log(2) * dimensions == pytest.approx(nats)
        assert message.log_likelihood_nats == nats
        assert message.dimensions == dimensions
        assert message.estimator == wire_enums.ESTIMATOR_TO_WIRE[estimator]
        assert message.standard_error_nats == 0.5
        assert message.tokens[0].token_id == 7

    def test_nothing_at_all_has_no_bits_per_dimension(self) -> None:
        assert likelihood_message(events.Likelihood(0.0, 0, events.Estimator.EXACT)).bits_per_dimension == 0.0


@pytest.mark.parametrize(
    ("table", "enum", "prefix"),
    [
        (wire_enums.FAMILY_BY_NAME, models_pb2.Family, "FAMILY_"),
        (wire_enums.TASK_KIND_TO_WIRE, models_pb2.TaskKind, "TASK_KIND_"),
        (wire_enums.MODALITY_TO_WIRE, media_pb2.Modality, "MODALITY_"),
        (wire_enums.ESTIMATOR_TO_WIRE, models_pb2.Estimator, "ESTIMATOR_"),
        (wire_enums.FINISH_REASON_TO_WIRE, generation_pb2.FinishReason, "FINISH_REASON_"),
        (wire_enums.ROLE_TO_WIRE, generation_pb2.Role, "ROLE_"),
        (wire_enums.IMAGE_FORMAT_TO_WIRE, media_pb2.ImageFormat, "IMAGE_FORMAT_"),
        (wire_enums.AUDIO_FORMAT_TO_WIRE, media_pb2.AudioFormat, "AUDIO_FORMAT_"),
        (PRIORITY_TO_WIRE, guide_pb2.Priority, "PRIORITY_"),
    ],
)
def test_every_enum_of_the_contract_is_mapped_whole_and_by_name(
    table: dict[str, int], enum: EnumTypeWrapper, prefix: str
) -> None:
    by_name = {name.removeprefix(prefix).lower(): number for name, number in enum.items() if number}
    assert {str(inside): wire for inside, wire in table.items()} == by_name


def test_every_element_type_of_the_contract_is_mapped() -> None:
    numbers = {number for number in media_pb2.ElementType.values() if number}
    assert set(wire_enums.ELEMENT_TYPE_FROM_WIRE) == numbers
