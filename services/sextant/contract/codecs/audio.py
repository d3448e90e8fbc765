"""Sound as WAV, FLAC and bare PCM, 16 bits each."""

import io
from enum import StrEnum

import numpy as np
import soundfile
from numpy.typing import NDArray

from sextant.contract.codecs.budget import DecodeBudget
from sextant.contract.errors import InvalidRequest
from sextant.contract.media import Audio

# Of one sound: samples of all channels together (about 11 minutes of 48 kHz mono), read from the header.
MOST_SAMPLES = 2**25
MOST_CHANNELS = 8
# The most that FLAC can state.
HIGHEST_SAMPLE_RATE_HZ = 655_350

# A sample k stands for k / 32768. libsndfile would scale by 32767 one way and 32768 the other.
_SCALE = 32_768.0
# Integer samples only: floating-point ones may hold NaN, and the rest are codecs we do not promise.
_SUBTYPES = frozenset({"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32"})


class AudioFormat(StrEnum):
    """How the bytes of a sound are encoded."""

    WAV = "wav"
    FLAC = "flac"
    PCM_S16LE = "pcm_s16le"


def pcm_s16le(samples: NDArray[np.float32]) -> bytes:
    """float[time, channels] as interleaved 16-bit little-endian samples, those outside [-1, 1] clipped.

    Each sample by itself: chunks of a sound, put together, are the bytes of the whole.
    """
    return _int16(samples).astype("<i2", copy=False).tobytes()


def encode_audio(audio: Audio, audio_format: AudioFormat = AudioFormat.WAV) -> bytes:
    """A complete file, or bare samples for PCM_S16LE; samples that are multiples of 2^-15 come back as they were.

    ValueError where `audio` is not float[time, channels], is not finite, or is empty and wanted as FLAC.
    """
    if audio_format is AudioFormat.PCM_S16LE:
        return pcm_s16le(audio.samples)
    if audio_format is AudioFormat.FLAC and not len(audio.samples):
        raise ValueError("FLAC cannot hold an empty sound")
    file = io.BytesIO()
    soundfile.write(file, _int16(audio.samples), audio.sample_rate_hz, format=audio_format.upper(), subtype="PCM_16")
    return file.getvalue()


def detect_audio_format(data: bytes) -> AudioFormat | None:
    """The format that the first bytes announce; None where it is none that we read, or bare samples."""
    if data.startswith(b"RIFF") and data[8:12] == b"WAVE":
        return AudioFormat.WAV
    if data.startswith(b"fLaC"):
        return AudioFormat.FLAC
    return None


def decode_audio(data: bytes, field: str = "audio", budget: DecodeBudget | None = None) -> Audio:
    """A WAV or FLAC file of integer samples as a sound.

    `InvalidRequest` for anything else, for damaged files, and for sounds over `MOST_SAMPLES` or the budget.
    """
    field = f"{field}.data"
    audio_format = detect_audio_format(data)
    if audio_format is None:
        raise InvalidRequest(field, "is not a WAV or FLAC file")
    damaged = InvalidRequest(field, f"is a damaged or truncated {audio_format.upper()} file")
    # libsndfile reads what is there of a WAV file; the header says what should be.
    if audio_format is AudioFormat.WAV and int.from_bytes(data[4:8], "little") + 8 > len(data):
        raise damaged
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as sound:
            if sound.subtype not in _SUBTYPES:
                raise InvalidRequest(field, f"holds {sound.subtype} samples; send 16-bit PCM")
            _check_rate_and_channels(sound.samplerate, sound.channels, field, field)
            if sound.frames * sound.channels > MOST_SAMPLES:
                raise InvalidRequest(field, f"has more than {MOST_SAMPLES} samples, or does not say how many")
            (budget or DecodeBudget()).spend(sound.frames * sound.channels * 4, field)
            samples = sound.read(dtype="float32", always_2d=True)
            if len(samples) != sound.frames:
                raise damaged
            return Audio(samples, sound.samplerate)
    except InvalidRequest:
        raise
    except Exception as error:  # soundfile's own errors, and what NumPy makes of a nonsensical header
        raise damaged from error


def audio_from_pcm(data: bytes, sample_rate_hz: int, channels: int, field: str = "audio") -> Audio:
    """PCM_S16LE as a sound; `InvalidRequest` where rate, channels or length cannot be."""
    _check_rate_and_channels(sample_rate_hz, channels, f"{field}.sample_rate_hz", f"{field}.channels")
    if len(data) % (2 * channels):
        raise InvalidRequest(f"{field}.data", f"does not divide into frames of {2 * channels} bytes")
    if len(data) // 2 > MOST_SAMPLES:
        raise InvalidRequest(f"{field}.data", f"has more than {MOST_SAMPLES} samples")
    samples = np.frombuffer(data, dtype="<i2").astype(np.float32) / np.float32(_SCALE)
    return Audio(samples.reshape(-1, channels), sample_rate_hz)


def _int16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    if samples.ndim != 2 or not 1 <= samples.shape[1] <= MOST_CHANNELS:
        raise ValueError(f"not a sound: {samples.dtype}{list(samples.shape)}")
    if not np.isfinite(samples).all():
        raise ValueError("a sound holds samples that are not finite")
    scaled: NDArray[np.float32] = np.rint(samples * np.float32(_SCALE))
    return np.clip(scaled, -_SCALE, _SCALE - 1).astype(np.int16)


def _check_rate_and_channels(sample_rate_hz: int, channels: int, rate_field: str, channels_field: str) -> None:
    if not 1 <= sample_rate_hz <= HIGHEST_SAMPLE_RATE_HZ:
        raise InvalidRequest(rate_field, f"has {sample_rate_hz} samples a second, not 1 to {HIGHEST_SAMPLE_RATE_HZ}")
    if not 1 <= channels <= MOST_CHANNELS:
        raise InvalidRequest(channels_field, f"has {channels} channels, not 1 to {MOST_CHANNELS}")
