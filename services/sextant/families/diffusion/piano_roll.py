"""Music in four voices on a grid of sixteenths, and as the picture that a network sees of it.

The picture x[voice, row, sixteenth] is -1 or 1: in each voice one row of the pitches from `LOWEST` up, or the row of
silence, says what sounds, and a last row whether the note before it is struck again. A change of pitch always is,
so it is not said twice: what is said twice can disagree.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

VOICES = ("soprano", "alto", "tenor", "bass")
LOWEST, HIGHEST = 33, 84
PITCHES = HIGHEST - LOWEST + 1
SILENCE = PITCHES
AGAIN = PITCHES + 1
ROWS = PITCHES + 2


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """`pitch` int[4, t], MIDI numbers or 0 for silence; `onset` bool[4, t] where a note is struck."""

    pitch: NDArray[np.int64]
    onset: NDArray[np.bool_]

    @property
    def length(self) -> int:
        """Sixteenths."""
        length: int = self.pitch.shape[1]
        return length

    def transposed(self, semitones: int) -> "Score":
        """All notes higher by `semitones`; what leaves the range of the picture moves by an octave."""
        moved = self.pitch + semitones
        moved = np.where(moved < LOWEST, moved + 12, np.where(moved > HIGHEST, moved - 12, moved))
        return Score(np.where(self.pitch > 0, moved, 0), self.onset)

    def cut(self, first: int, last: int) -> Self:
        """The sixteenths from `first` up to `last`; a note that is cut into is struck anew."""
        pitch, onset = self.pitch[:, first:last], self.onset[:, first:last].copy()
        onset[:, 0] |= pitch[:, 0] > 0
        return type(self)(pitch, onset)

    def padded(self, length: int) -> Self:
        """Followed by silence up to `length` at least."""
        more = max(0, length - self.length)
        return type(self)(np.pad(self.pitch, ((0, 0), (0, more))), np.pad(self.onset, ((0, 0), (0, more))))


def sounding_rows(score: Score) -> NDArray[np.int64]:
    """int[4, t]: the row that is on, of those up to `AGAIN`."""
    return np.where(score.pitch > 0, score.pitch - LOWEST, SILENCE)


def struck_again(score: Score) -> NDArray[np.bool_]:
    """bool[4, t]: where a note is struck whose pitch sounded just before."""
    return score.onset & ~_changes(score.pitch)


def to_roll(score: Score) -> NDArray[np.float32]:
    """The picture, float32[4, ROWS, t]."""
    roll = np.where(np.arange(ROWS)[:, None] == sounding_rows(score)[:, None], np.float32(1), np.float32(-1))
    roll[:, AGAIN] = np.where(struck_again(score), np.float32(1), np.float32(-1))
    return roll


def to_score(roll: NDArray[np.floating]) -> Score:
    """The nearest score to a picture [4, ROWS, t]: the highest row sounds; a change of pitch is always struck."""
    row = roll[:, :AGAIN].argmax(1)
    pitch = np.where(row == SILENCE, 0, row + LOWEST)
    return Score(pitch, (pitch > 0) & (_changes(pitch) | (roll[:, AGAIN] > 0)))


def _changes(pitch: NDArray[np.int64]) -> NDArray[np.bool_]:
    """bool[4, t]: where another pitch begins, or silence; the first column always."""
    return np.concatenate([np.ones((len(pitch), 1), np.bool_), pitch[:, 1:] != pitch[:, :-1]], 1)
