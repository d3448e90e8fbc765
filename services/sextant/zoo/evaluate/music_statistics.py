"""How four-voice music is spread over pitch classes and intervals, and how far two corpora are apart in that."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sextant.families.diffusion.keys import Mode, find_key
from sextant.families.diffusion.midi import notes_of
from sextant.families.diffusion.piano_roll import Score

_MOST_LEAP = 12  # semitones; wider ones count as this wide
_BEAT = 4


@dataclass(frozen=True, slots=True)
class Statistics:
    """Shares that sum to one: `pitch_class`[2 modes x 12], above the tonic of each piece's key, by how long they sound;
    `melodic`[4 voices x 25], steps from note to note; `harmonic`[3 voices x 25], intervals above the bass on each beat,
    up to two octaves, octaves further down folded in."""

    pitch_class: NDArray[np.float64]
    melodic: NDArray[np.float64]
    harmonic: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Distances:
    """Half the sum of absolute differences (total variation), 0 to 1, of each kind."""

    pitch_class: float
    melodic: float
    harmonic: float

    @property
    def mean(self) -> float:
        """Of the three."""
        return (self.pitch_class + self.melodic + self.harmonic) / 3


def statistics(scores: Sequence[Score]) -> Statistics:
    """Of all the pieces together; each is read in the key that `find_key` finds in it."""
    pitch_class, melodic, harmonic = np.zeros((2, 12)), np.zeros((4, 2 * _MOST_LEAP + 1)), np.zeros((3, 25))
    modes = tuple(Mode)
    for score in scores:
        key = find_key(score.pitch)
        above = (score.pitch[score.pitch > 0] - key.tonic) % 12
        np.add.at(pitch_class[modes.index(key.mode)], above, 1)
        for voice in range(4):
            notes = np.array([note for note, _, _ in notes_of(score.pitch[voice], score.onset[voice])], np.int64)
            steps = np.diff(notes).clip(-_MOST_LEAP, _MOST_LEAP) + _MOST_LEAP
            np.add.at(melodic[voice], steps, 1)
        beats = score.pitch[:, ::_BEAT]
        beats = beats[:, (beats > 0).all(0)]
        for voice in range(3):
            interval = np.abs(beats[voice] - beats[3])
            np.add.at(harmonic[voice], np.where(interval > 24, interval % 12 + 12, interval), 1)
    return Statistics(pitch_class / pitch_class.sum(), melodic / melodic.sum(), harmonic / harmonic.sum())


def distances(a: Statistics, b: Statistics) -> Distances:
    """How far apart two corpora are."""
    return Distances(
        _variation(a.pitch_class, b.pitch_class), _variation(a.melodic, b.melodic), _variation(a.harmonic, b.harmonic)
    )


def _variation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.abs(a - b).sum() / 2)
