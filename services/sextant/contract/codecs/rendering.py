"""Music as sound, for ears without a synthesiser: each note a few harmonics that swell and fade, like a small organ."""

import io

import mido
import numpy as np
from numpy.typing import NDArray

from sextant.contract.errors import InvalidRequest
from sextant.contract.media import Audio, Music

_HARMONICS = (1.0, 0.5, 0.3, 0.15, 0.1, 0.05)  # their loudness
_ATTACK_S, _RELEASE_S = 0.03, 0.15
_LOUDEST = 0.8
_MOST_SECONDS = 600.0
_A4, _A4_HZ = 69, 440.0


def render(music: Music, sample_rate_hz: int = 22_050) -> Audio:
    """One channel, its loudest sample at 0.8; equal temperament at 440 Hz, every instrument the same.

    Raises `InvalidRequest` where the file cannot be played or lasts longer than ten minutes.
    """
    notes, length_s = _notes(music)
    sound = np.zeros(round((length_s + _RELEASE_S) * sample_rate_hz) + 1)
    for note, first_s, last_s in notes:
        tone = _tone(_A4_HZ * 2 ** ((note - _A4) / 12), last_s - first_s, sample_rate_hz)
        first = round(first_s * sample_rate_hz)
        sound[first : first + len(tone)] += tone[: len(sound) - first]
    loudest = np.abs(sound).max()
    scaled = sound * (_LOUDEST / loudest) if loudest > 0 else sound
    return Audio(scaled.astype(np.float32)[:, None], sample_rate_hz)


def _notes(music: Music) -> tuple[list[tuple[int, float, float]], float]:
    """(note, from, to) in seconds, and the length of the piece."""
    notes: list[tuple[int, float, float]] = []
    playing: dict[tuple[int, int], float] = {}
    now = 0.0
    try:
        file = mido.MidiFile(file=io.BytesIO(music.midi), clip=True)
        for message in file:
            now += message.time
            if now > _MOST_SECONDS:
                raise InvalidRequest("music.midi", f"lasts longer than {_MOST_SECONDS:.0f} seconds")
            if message.type not in ("note_on", "note_off"):
                continue
            begun = playing.pop((message.channel, message.note), None)
            if begun is not None:
                notes.append((message.note, begun, now))
            if message.type == "note_on" and message.velocity > 0:
                playing[message.channel, message.note] = now
    except InvalidRequest:
        raise
    except Exception as error:  # mido raises what its parsing runs into
        raise InvalidRequest("music.midi", "is a damaged MIDI file") from error
    return notes, now


def _tone(frequency_hz: float, seconds: float, sample_rate_hz: int) -> NDArray[np.float64]:
    """A note of `seconds` and its fading; harmonics that the sample rate cannot hold are left out."""
    t = np.arange(round((seconds + _RELEASE_S) * sample_rate_hz)) / sample_rate_hz
    swell = np.minimum(t / _ATTACK_S, 1) * np.clip((seconds + _RELEASE_S - t) / _RELEASE_S, 0, 1)
    waves = np.zeros(len(t))
    for number, loudness in enumerate(_HARMONICS, 1):
        if number * frequency_hz < sample_rate_hz / 2:
            waves += loudness * np.sin(2 * np.pi * number * frequency_hz * t)
    tone: NDArray[np.float64] = waves * swell
    return tone
