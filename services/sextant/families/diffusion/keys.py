"""The key of a piece, by how long each pitch class sounds.

Krumhansl & Kessler 1982, "Tracing the dynamic changes in perceived tonal organization in a spatial representation of
musical keys": the twelve ratings of each mode, turned to every tonic, are correlated with the durations.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
_A = 9
_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")


class Mode(StrEnum):
    """Major or minor."""

    MAJOR = "major"
    MINOR = "minor"


@dataclass(frozen=True, slots=True)
class Key:
    """`tonic` is a pitch class, 0 for C."""

    tonic: int
    mode: Mode

    @property
    def above_c(self) -> int:
        """Semitones from C major, or from A minor, to this key: -5 to 6."""
        home = 0 if self.mode is Mode.MAJOR else _A
        return (self.tonic - home + 5) % 12 - 5

    def transposed(self, semitones: int) -> "Key":
        """The key of the same mode whose tonic is that much higher."""
        return Key((self.tonic + semitones) % 12, self.mode)

    def __str__(self) -> str:
        return f"{_NAMES[self.tonic]} {self.mode}"


KEYS = tuple(Key(tonic, mode) for mode in Mode for tonic in range(12))


def find_key(pitch: NDArray[np.integer]) -> Key:
    """The likeliest key of MIDI pitches, any shape, 0 for silence; each counts for as long as it lasts."""
    weights = np.bincount(pitch[pitch > 0] % 12, minlength=12).astype(np.float64)
    scores = {
        (tonic, mode): _correlation(np.roll(profile, tonic), weights)
        for mode, profile in ((Mode.MAJOR, _MAJOR), (Mode.MINOR, _MINOR))
        for tonic in range(12)
    }
    return Key(*max(scores, key=scores.__getitem__))


def _correlation(profile: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    a, b = profile - profile.mean(), weights - weights.mean()
    return float(a @ b / max(float(np.sqrt((a @ a) * (b @ b))), 1e-12))
