"""First-order Markov chains of chorales, the baselines of music: each voice by itself, or whole chords."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sextant.families.diffusion.midi import notes_of
from sextant.families.diffusion.piano_roll import Score

_START = (0, 0)


class VoiceChains:
    """For each voice a chain over its notes, (pitch, sixteenths): the next depends on the last alone."""

    def __init__(self, scores: Sequence[Score]) -> None:
        self._followers: list[dict[tuple[int, int], list[tuple[int, int]]]] = [{} for _ in range(4)]
        for score in scores:
            for voice, followers in enumerate(self._followers):
                last = _START
                for pitch, first, until in notes_of(score.pitch[voice], score.onset[voice]):
                    note = (pitch, until - first)
                    followers.setdefault(last, []).append(note)
                    last = note

    def drawn(self, length: int, rng: np.random.Generator) -> Score:
        """A piece of `length` sixteenths."""
        pitch, onset = np.zeros((4, length), np.int64), np.zeros((4, length), np.bool_)
        for voice, followers in enumerate(self._followers):
            at, last = 0, _START
            while at < length:
                choices = followers.get(last) or followers[_START]
                last = choices[rng.integers(len(choices))]
                pitch[voice, at : at + last[1]], onset[voice, at] = last[0], True
                at += last[1]
        return Score(pitch, onset)


class ChordChain:
    """One chain over what all four voices do at a sixteenth: pitches, and which of them are struck."""

    def __init__(self, scores: Sequence[Score]) -> None:
        self._followers: dict[bytes, list[NDArray[np.int64]]] = {}
        for score in scores:
            columns = np.concatenate([score.pitch, score.onset]).T
            for before, after in pairwise(columns):
                self._followers.setdefault(before.tobytes(), []).append(after)
        self._starts = [np.concatenate([score.pitch, score.onset])[:, 0] for score in scores]

    def drawn(self, length: int, rng: np.random.Generator) -> Score:
        """A piece of `length` sixteenths."""
        column = self._starts[rng.integers(len(self._starts))]
        columns = [column]
        while len(columns) < length:
            choices = self._followers.get(column.tobytes()) or self._starts
            column = choices[rng.integers(len(choices))]
            columns.append(column)
        drawn = np.stack(columns, 1)
        return Score(drawn[:4], drawn[4:] > 0)
