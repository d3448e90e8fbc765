"""Chorales by J. S. Bach for four voices, out of the corpus of music21, on a grid of sixteenths.

`pip download --no-deps music21==10.5.1` into the directory that `sextant zoo where` prints brings it. The music is in
the public domain; the encodings are its encoders', with permission to music21, and only read here.
"""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from sextant.families.diffusion.keys import Key, find_key
from sextant.families.diffusion.piano_roll import VOICES, Score
from sextant.zoo.data.location import DataMissing, zoo_directory

BAR = 16
PROVENANCE = "Trained on the chorales by J. S. Bach in the corpus of music21 10.5.1 by the recipe of this name."
_HOW = "Get it with `pip download --no-deps music21==10.5.1` in that directory."
_HELD_OUT = 40
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclass(frozen=True, slots=True)
class Chorale:
    """One piece in the key it is written in, whole bars; an upbeat is the end of a bar of its own."""

    name: str
    score: Score
    key: Key


@cache
def chorales(split: str) -> tuple[Chorale, ...]:
    """Those of "train", or the forty of "test"; in four-four time, with all four voices. Raises `DataMissing`."""
    directory = zoo_directory()
    wheels = sorted(directory.glob("music21-*.whl"))
    if not wheels:
        raise DataMissing(f"{directory} holds no wheel of music21. {_HOW}")
    with zipfile.ZipFile(wheels[-1]) as wheel:
        names = [n for n in wheel.namelist() if n.startswith("music21/corpus/bach/bwv") and n.endswith(".mxl")]
        read = {name.rsplit("/", 1)[1][:-4]: _read(wheel.read(name)) for name in sorted(names)}
    pieces = [Chorale(name, score, find_key(score.pitch)) for name, score in read.items() if score is not None]
    order = np.random.default_rng(0).permutation(len(pieces))
    chosen = order[:_HELD_OUT] if split == "test" else order[_HELD_OUT:]
    return tuple(pieces[index] for index in sorted(chosen))


def windows(pieces: tuple[Chorale, ...], length: int) -> Iterator[tuple[Chorale, Score]]:
    """Every stretch of `length` sixteenths that begins with a bar; shorter pieces are followed by silence."""
    for piece in pieces:
        padded = piece.score.padded(length)
        for start in range(0, padded.length - length + 1, BAR):
            yield piece, padded.cut(start, start + length)


def _read(compressed: bytes) -> Score | None:
    """A compressed MusicXML file; None where it has not just the four voices in four-four time."""
    with zipfile.ZipFile(io.BytesIO(compressed)) as file:
        inside = [n for n in file.namelist() if n.endswith((".xml", ".musicxml")) and not n.startswith("META")]
        if not inside:
            return None
        root = ElementTree.fromstring(file.read(inside[0]))
    named = {part.get("id"): part.findtext("part-name") for part in root.findall("part-list/score-part")}
    parts = {named[part.get("id")]: part for part in root.findall("part")}
    if not all(voice.capitalize() in parts for voice in VOICES):
        return None
    times = {(time.findtext("beats"), time.findtext("beat-type")) for time in root.iter("time")}
    if times != {("4", "4")}:
        return None
    voices = [_voice(parts[voice.capitalize()]) for voice in VOICES]
    length = min(len(pitch) for pitch, _ in voices)
    return Score(np.stack([pitch[:length] for pitch, _ in voices]), np.stack([onset[:length] for _, onset in voices]))


def _voice(part: ElementTree.Element) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(pitch[t], onset[t]) of a part's first voice, whole bars."""
    notes: list[tuple[float, float, int, bool]] = []
    now, quarter, pickup = 0.0, 1.0, 0.0
    first_full_bar = False
    for measure in part.findall("measure"):
        began = furthest = now
        for item in measure:
            quarter = float(item.findtext("divisions") or quarter)
            lasts = 4 * float(item.findtext("duration") or 0) / quarter
            if item.tag == "backup":
                now -= lasts
            elif item.tag == "forward":
                now += lasts
            elif item.tag == "note" and item.find("chord") is None and item.find("grace") is None:
                if (item.findtext("voice") or "1") == "1":
                    tied = any(tie.get("type") == "stop" for tie in item.findall("tie"))
                    notes.append((now, now + lasts, _midi(item), not tied))
                now += lasts
            furthest = max(furthest, now)
        now = furthest
        if not first_full_bar and now - began >= BAR:
            first_full_bar, pickup = True, began
    shift = -pickup % BAR
    length = int(np.ceil((now + shift) / BAR)) * BAR
    pitch, onset = np.zeros(length, np.int64), np.zeros(length, np.bool_)
    for begin, end, midi, struck in notes:
        first, last = round(begin + shift), max(round(end + shift), round(begin + shift) + 1)
        pitch[first:last] = midi
        onset[first] = struck and midi > 0
    return pitch, onset


def _midi(note: ElementTree.Element) -> int:
    """The note's number, 60 for middle C; 0 for a rest."""
    pitch = note.find("pitch")
    if pitch is None:
        return 0
    step = _STEPS[pitch.findtext("step") or "C"]
    return 12 * (int(pitch.findtext("octave") or 4) + 1) + step + int(float(pitch.findtext("alter") or 0))
