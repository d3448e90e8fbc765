"""Four voices as a Standard MIDI File, and the voices of one."""

import io
from collections.abc import Iterable

import mido
import numpy as np
from numpy.typing import NDArray

from sextant.contract.errors import InvalidRequest
from sextant.contract.media import Media, Music
from sextant.families.diffusion.piano_roll import HIGHEST, LOWEST, VOICES, Score

_TICKS_PER_BEAT = 480
_PER_BEAT = 4  # sixteenths
_ORGAN = 19
_VELOCITY = 80


def to_midi(score: Score, tempo_bpm: float) -> Music:
    """A file of format 1: a track with the tempo, and one for each voice."""
    file = mido.MidiFile(type=1, ticks_per_beat=_TICKS_PER_BEAT)
    file.tracks.append(mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo_bpm))]))
    for channel, voice in enumerate(VOICES):
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=voice)])
        track.append(mido.Message("program_change", channel=channel, program=_ORGAN))
        written = 0
        for pitch, first, last in notes_of(score.pitch[channel], score.onset[channel]):
            for kind, at in (("note_on", first), ("note_off", last)):
                wait = (at - written) * _TICKS_PER_BEAT // _PER_BEAT
                track.append(mido.Message(kind, channel=channel, note=pitch, velocity=_VELOCITY, time=wait))
                written = at
        file.tracks.append(track)
    out = io.BytesIO()
    file.save(file=out)
    return Music(out.getvalue())


def notes_of(pitch: NDArray[np.int64], onset: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """(pitch, first sixteenth, the one after its last) of each note of a voice."""
    starts = np.flatnonzero(onset)
    notes = []
    for start, until in zip(starts, [*starts, len(pitch)][1:], strict=True):
        silent = np.flatnonzero(pitch[start:until] != pitch[start])
        notes.append((int(pitch[start]), int(start), int(start + silent[0] if len(silent) else until)))
    return notes


def read_midi(media: Media | None, sixteenths: int, field: str) -> Score:
    """The voices of a file, one a track from the highest down, moved to the nearest sixteenths, and silence after.

    Voices beyond the last track are silent. `InvalidRequest` for `field` where it is no music of at most four voices
    that fits, or one of them has two notes at a time or one out of range.
    """
    if not isinstance(media, Music):
        raise InvalidRequest(f"{field}.music", "must hold music, as a MIDI file")
    path = f"{field}.music.midi"
    try:
        file = mido.MidiFile(file=io.BytesIO(media.midi), clip=True)
        tracks = [[m for m in _timed(track) if m[1].type in ("note_on", "note_off")] for track in file.tracks]
    except Exception as error:  # mido raises what its parsing runs into: EOFError, OSError, ValueError, IndexError ...
        raise InvalidRequest(path, "is a damaged MIDI file") from error
    sounding = [track for track in tracks if track]
    if not sounding:
        raise InvalidRequest(path, "holds no notes")
    if len(sounding) > len(VOICES):
        raise InvalidRequest(path, f"has {len(sounding)} tracks with notes; this model has {len(VOICES)} voices")
    pitch = np.zeros((len(VOICES), sixteenths), np.int64)
    onset = np.zeros((len(VOICES), sixteenths), np.bool_)
    scale = _PER_BEAT / file.ticks_per_beat
    for voice, track in enumerate(sounding):
        for note, begin, end in _notes(track, VOICES[voice], path):
            first, last = round(begin * scale), max(round(end * scale), round(begin * scale) + 1)
            if last > sixteenths:
                raise InvalidRequest(path, f"is longer than {sixteenths // _PER_BEAT} beats")
            if not LOWEST <= note <= HIGHEST:
                reason = f"has note {note} in the {VOICES[voice]}; must be from {LOWEST} to {HIGHEST}"
                raise InvalidRequest(path, reason)
            pitch[voice, first:last] = note
            onset[voice, first] = True
    return Score(pitch, onset)


def _timed(track: Iterable[mido.Message]) -> list[tuple[int, mido.Message]]:
    """Messages with the tick they are at."""
    now, timed = 0, []
    for message in track:
        now += message.time
        timed.append((now, message))
    return timed


def _notes(track: list[tuple[int, mido.Message]], voice: str, path: str) -> list[tuple[int, int, int]]:
    """(note, from tick, to tick) of a track in which one note sounds at a time."""
    notes = []
    playing: tuple[int, int] | None = None
    # What ends at a tick ends before the next begins there.
    for tick, message in sorted(track, key=lambda timed: (timed[0], _starts(timed[1]))):
        if _starts(message):
            if playing is not None:
                raise InvalidRequest(path, f"has two notes at a time in the {voice}")
            playing = (message.note, tick)
        elif playing is not None and playing[0] == message.note:
            notes.append((playing[0], playing[1], tick))
            playing = None
    if playing is not None:
        raise InvalidRequest(path, f"has a note in the {voice} that never ends")
    return notes


def _starts(message: mido.Message) -> bool:
    return bool(message.type == "note_on" and message.velocity > 0)
