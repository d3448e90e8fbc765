"""Content to files and back, and files that lie."""

import io
import struct
import tracemalloc
import zlib

import numpy as np
import PIL.Image
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sextant.contract import codecs
from sextant.contract.codecs import AudioFormat, ImageFormat
from sextant.contract.codecs.image import MOST_PIXELS
from sextant.contract.errors import InvalidRequest
from sextant.contract.media import Audio, Image
from tests.contract.strategies import pictures, sounds, violations_of


def refused_field(refusal: pytest.ExceptionInfo[InvalidRequest]) -> str:
    return refusal.value.violations[0].field


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def midi(tracks: int = 1) -> bytes:
    header = b"MThd" + struct.pack(">IHHH", 6, 1, tracks, 480)
    return header + b"".join(b"MTrk" + struct.pack(">I", 4) + b"\x00\xff\x2f\x00" for _ in range(tracks))


class TestPictures:
    @given(pictures())
    def test_png_gives_back_every_pixel_with_its_channels(self, picture: Image) -> None:
        data = codecs.encode_image(picture, ImageFormat.PNG)
        assert np.array_equal(codecs.decode_image(data).pixels, picture.pixels)

    @given(pictures(channels=(3,)))
    def test_webp_gives_back_every_pixel(self, picture: Image) -> None:
        data = codecs.encode_image(picture, ImageFormat.WEBP)
        assert np.array_equal(codecs.decode_image(data).pixels, picture.pixels)

    def test_webp_keeps_the_colour_of_transparent_pixels(self) -> None:
        pixels = np.array([[[10, 20, 30, 0], [1, 2, 3, 255]]], dtype=np.uint8)
        data = codecs.encode_image(Image(pixels), ImageFormat.WEBP)
        assert np.array_equal(codecs.decode_image(data).pixels, pixels)

    @given(pictures())
    def test_raw_rows_give_back_every_pixel(self, picture: Image) -> None:
        height, width, channels = picture.pixels.shape
        data = codecs.encode_image(picture, ImageFormat.RAW_UINT8)
        assert np.array_equal(codecs.image_from_raw(data, width, height, channels).pixels, picture.pixels)

    def test_jpeg_comes_close_and_shows_transparency_over_white(self) -> None:
        pixels = np.zeros((16, 16, 4), dtype=np.uint8)
        pixels[:, :8] = (200, 30, 60, 255)
        read = codecs.decode_image(codecs.encode_image(Image(pixels), ImageFormat.JPEG)).pixels.astype(int)
        assert np.abs(read[8, 2] - (200, 30, 60)).max() < 12
        assert read[8, 14].min() > 243

    @given(pictures(), st.sampled_from(list(ImageFormat)))
    def test_the_same_pixels_give_the_same_bytes(self, picture: Image, image_format: ImageFormat) -> None:
        again = Image(picture.pixels.copy())
        assert codecs.encode_image(picture, image_format) == codecs.encode_image(again, image_format)

    @pytest.mark.parametrize("image_format", [ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.JPEG])
    def test_a_file_cut_off_anywhere_in_its_pixels_is_refused(self, image_format: ImageFormat) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        data = codecs.encode_image(Image(noise), image_format)
        trailer = 21 if image_format is ImageFormat.PNG else 1  # PNG's IEND and the checksum before it add nothing
        for length in range(0, len(data) - trailer, 7):
            with pytest.raises(InvalidRequest) as refusal:
                codecs.decode_image(data[:length], "source.image")
            assert refused_field(refusal) == "source.image.data"

    @given(
        st.binary(max_size=200), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x20\0\0\0WEBP"])
    )
    def test_arbitrary_bytes_are_refused(self, data: bytes, magic: bytes) -> None:
        with pytest.raises(InvalidRequest):
            codecs.decode_image(magic + data)

    @given(st.data())
    def test_a_damaged_file_is_read_or_refused_and_nothing_else(self, data: st.DataObject) -> None:
        picture, image_format = data.draw(pictures()), data.draw(st.sampled_from(list(ImageFormat)[:3]))
        file = bytearray(codecs.encode_image(picture, image_format))
        for _ in range(data.draw(st.integers(1, 4))):
            file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
        assert {wrong.field for wrong in violations_of(codecs.decode_image, bytes(file))} <= {"image.data"}

    @pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
    @pytest.mark.parametrize("side", [4_097, 12_000, 60_000, 2**31 - 1])
    def test_a_decompression_bomb_is_refused_from_its_header(self, side: int) -> None:
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        bomb = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header)
        bomb += png_chunk(b"IDAT", zlib.compress(bytes(1_000))) + png_chunk(b"IEND", b"")
        tracemalloc.start()
        try:
            with pytest.raises(InvalidRequest, match=str(MOST_PIXELS)):
                codecs.decode_image(bomb)
            assert tracemalloc.get_traced_memory()[1] < 2**20
        finally:
            tracemalloc.stop()

    def test_pictures_of_one_request_share_a_budget(self) -> None:
        data = codecs.encode_image(Image(np.zeros((64, 64, 3), dtype=np.uint8)))
        budget = codecs.DecodeBudget(3 * 64 * 64 * 4)
        for _ in range(3):
            codecs.decode_image(data, budget=budget)
        with pytest.raises(InvalidRequest, match="decode to over"):
            codecs.decode_image(data, budget=budget)

    def test_sixteen_bit_grey_keeps_its_high_byte(self) -> None:
        grey = np.array([[0, 0x1234, 0xFFFF]], dtype=np.uint16)
        file = io.BytesIO()
        PIL.Image.fromarray(grey).save(file, "PNG")
        assert codecs.decode_image(file.getvalue()).pixels[0, :, 0].tolist() == [0, 0x12, 0xFF]

    def test_a_palette_with_a_transparent_colour_becomes_rgba(self) -> None:
        picture = PIL.Image.new("P", (2, 1))
        picture.putpalette([255, 0, 0, 0, 0, 255])
        picture.putpixel((1, 0), 1)
        file = io.BytesIO()
        picture.save(file, "PNG", transparency=0)
        assert codecs.decode_image(file.getvalue()).pixels.tolist() == [[[255, 0, 0, 0], [0, 0, 255, 255]]]

    def test_a_photograph_taken_sideways_stands_upright(self) -> None:
        exif = PIL.Image.Exif()
        exif[0x0112] = 6  # rotate by 90 degrees to show
        file = io.BytesIO()
        PIL.Image.new("RGB", (20, 10)).save(file, "JPEG", exif=exif)
        assert codecs.decode_image(file.getvalue()).pixels.shape == (20, 10, 3)

    @pytest.mark.parametrize(
        ("size", "data", "field"),
        [
            ((0, 2, 3), b"", "width_px"),
            ((2, 0, 3), b"", "height_px"),
            ((2, 2, 2), bytes(8), "channels"),
            ((2, 2, 3), bytes(11), "data"),
            ((2**32 - 1, 2**32 - 1, 4), b"", "data"),
        ],
    )
    def test_raw_rows_must_agree_with_their_size(self, size: tuple[int, int, int], data: bytes, field: str) -> None:
        with pytest.raises(InvalidRequest) as refusal:
            codecs.image_from_raw(data, *size, field="mask")
        assert refused_field(refusal) == f"mask.{field}"

    def test_a_picture_too_wide_for_webp_is_the_callers_choice_to_mend(self) -> None:
        with pytest.raises(InvalidRequest) as refusal:
            codecs.encode_image(Image(np.zeros((1, 16_384, 1), dtype=np.uint8)), ImageFormat.WEBP)
        assert refused_field(refusal) == "encoding.image"


class TestSounds:
    @given(sounds(), st.sampled_from([AudioFormat.WAV, AudioFormat.FLAC]))
    def test_wav_and_flac_give_back_every_sample(self, sound: Audio, audio_format: AudioFormat) -> None:
        read = codecs.decode_audio(codecs.encode_audio(sound, audio_format))
        assert np.array_equal(read.samples, sound.samples)
        assert read.sample_rate_hz == sound.sample_rate_hz

    @given(sounds(min_frames=0))
    def test_pcm_gives_back_every_sample(self, sound: Audio) -> None:
        data = codecs.encode_audio(sound, AudioFormat.PCM_S16LE)
        read = codecs.audio_from_pcm(data, sound.sample_rate_hz, sound.samples.shape[1])
        assert np.array_equal(read.samples, sound.samples)

    @given(hnp.arrays(np.float32, (24, 2), elements=st.floats(-1.5, 1.5, width=32)), st.integers(0, 24))
    def test_chunks_put_together_are_the_whole(self, samples: np.ndarray, cut: int) -> None:
        assert codecs.pcm_s16le(samples[:cut]) + codecs.pcm_s16le(samples[cut:]) == codecs.pcm_s16le(samples)

    def test_samples_outside_the_scale_are_clipped_not_wrapped(self) -> None:
        loud = np.array([[-7.0], [-1.0], [1.0], [7.0]], dtype=np.float32)
        assert np.frombuffer(codecs.pcm_s16le(loud), "<i2").tolist() == [-32768, -32768, 32767, 32767]

    def test_a_sample_that_is_not_finite_is_never_written(self) -> None:
        with pytest.raises(ValueError, match="finite"):
            codecs.pcm_s16le(np.array([[np.nan]], dtype=np.float32))

    @pytest.mark.parametrize("audio_format", [AudioFormat.WAV, AudioFormat.FLAC])
    def test_a_file_cut_off_anywhere_is_refused(self, audio_format: AudioFormat) -> None:
        noise = np.random.default_rng(0).uniform(-1, 1, (60, 2)).astype(np.float32)
        data = codecs.encode_audio(Audio(noise, 16_000), audio_format)
        for length in range(len(data)):
            with pytest.raises(InvalidRequest) as refusal:
                codecs.decode_audio(data[:length], "items[2].audio")
            assert refused_field(refusal) == "items[2].audio.data"

    @given(st.binary(max_size=200), st.sampled_from([b"", b"fLaC", b"RIFF\x20\0\0\0WAVE", b"RIFF\x20\0\0\0WAVEfmt "]))
    def test_arbitrary_bytes_are_read_or_refused_and_nothing_else(self, data: bytes, magic: bytes) -> None:
        assert {wrong.field for wrong in violations_of(codecs.decode_audio, magic + data)} <= {"audio.data"}

    @given(st.data())
    def test_a_damaged_file_gives_finite_samples_or_is_refused(self, data: st.DataObject) -> None:
        sound, audio_format = data.draw(sounds()), data.draw(st.sampled_from([AudioFormat.WAV, AudioFormat.FLAC]))
        file = bytearray(codecs.encode_audio(sound, audio_format))
        for _ in range(data.draw(st.integers(1, 4))):
            file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))

        def read() -> None:
            assert np.isfinite(codecs.decode_audio(bytes(file)).samples).all()

        assert {wrong.field for wrong in violations_of(read)} <= {"audio.data"}

    def test_floating_point_files_are_refused_since_they_may_hold_nan(self) -> None:
        file = io.BytesIO()
        soundfile.write(file, np.full((4, 1), np.nan, dtype=np.float32), 8_000, format="WAV", subtype="FLOAT")
        with pytest.raises(InvalidRequest, match="FLOAT"):
            codecs.decode_audio(file.getvalue())

    def test_silence_beyond_the_limit_is_refused_from_its_header(self) -> None:
        file = io.BytesIO()
        with soundfile.SoundFile(file, "w", 8_000, 8, format="FLAC", subtype="PCM_16") as sound:
            for _ in range(65):
                sound.write(np.zeros((2**16, 8), dtype=np.int16))
        data = file.getvalue()
        assert len(data) < 2**20
        with pytest.raises(InvalidRequest, match="samples"):
            codecs.decode_audio(data)

    @pytest.mark.parametrize(
        ("rate", "channels", "data", "field"),
        [
            (0, 1, b"", "sample_rate_hz"),
            (8_000, 0, b"", "channels"),
            (8_000, 9, b"", "channels"),
            (8_000, 2, b"abc", "data"),
        ],
    )
    def test_bare_samples_must_agree_with_what_is_said_of_them(
        self, rate: int, channels: int, data: bytes, field: str
    ) -> None:
        with pytest.raises(InvalidRequest) as refusal:
            codecs.audio_from_pcm(data, rate, channels, "source.audio")
        assert refused_field(refusal) == f"source.audio.{field}"


class TestMusic:
    @given(st.integers(1, 5))
    def test_a_whole_file_passes_and_every_part_of_it_is_refused(self, tracks: int) -> None:
        data = midi(tracks)
        codecs.check_midi(data)
        for length in range(len(data)):
            with pytest.raises(InvalidRequest) as refusal:
                codecs.check_midi(data[:length])
            assert refused_field(refusal) == "music.midi"

    def test_chunks_of_unknown_kind_are_skipped(self) -> None:
        data = midi(1)
        codecs.check_midi(data[:14] + b"XFIH" + struct.pack(">I", 3) + b"abc" + data[14:])

    @given(st.binary(max_size=100))
    def test_arbitrary_bytes_pass_or_are_refused_and_nothing_else(self, data: bytes) -> None:
        with pytest.raises(InvalidRequest):
            codecs.check_midi(data)
        assert {wrong.field for wrong in violations_of(codecs.check_midi, b"MThd\0\0\0\6" + data)} <= {"music.midi"}


class TestArrays:
    @given(
        hnp.arrays(
            st.sampled_from([np.dtype(code) for code in ("<f4", "<f8", "<f2", "<i4", "<i8", "u1", ">f4", ">i8")]),
            hnp.array_shapes(min_dims=0, min_side=0, max_side=4),
        )
    )
    def test_an_array_comes_back_bit_for_bit(self, array: np.ndarray) -> None:
        little = array.dtype.newbyteorder("<")
        read = codecs.array_from_bytes(codecs.array_bytes(array), little, array.shape)
        assert read.shape == array.shape
        assert read.tobytes() == array.astype(little).tobytes()

    def test_the_layout_in_memory_does_not_matter(self) -> None:
        array = np.arange(12, dtype=np.float32).reshape(3, 4)
        assert codecs.array_bytes(array.T) == codecs.array_bytes(np.ascontiguousarray(array.T))

    @settings(max_examples=300)
    @given(st.lists(st.integers(0, 2**32 - 1), max_size=40), st.binary(max_size=64))
    def test_no_shape_can_make_us_allocate(self, shape: list[int], data: bytes) -> None:
        def read() -> None:
            assert codecs.array_from_bytes(data, np.dtype("<f4"), shape).nbytes == len(data)

        assert {wrong.field for wrong in violations_of(read)} <= {"tensor.shape", "tensor.data"}
