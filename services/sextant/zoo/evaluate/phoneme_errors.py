"""How far what was said is from what should have been: edit distances (Levenshtein 1966)."""

from collections.abc import Sequence
from dataclasses import dataclass

_STRESS = str.maketrans("", "", "ˈˌ")


@dataclass(frozen=True, slots=True)
class PhonemeErrors:
    """Over all words: edits for each phoneme of the truth, and the share of words without any."""

    error_rate: float
    word_accuracy: float


def phoneme_errors(said: Sequence[str], truth: Sequence[str], *, stress: bool = True) -> PhonemeErrors:
    """Of words by character; without `stress` its marks count for nothing."""
    if not stress:
        said, truth = ([word.translate(_STRESS) for word in words] for words in (said, truth))
    edits = [edit_distance(one, other) for one, other in zip(said, truth, strict=True)]
    return PhonemeErrors(sum(edits) / sum(map(len, truth)), edits.count(0) / len(edits))


def edit_distance(one: str, other: str) -> int:
    """The fewest insertions, deletions and replacements that make the one the other."""
    before = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        after = [row]
        for column, wanted in enumerate(other):
            after.append(min(before[column] + (letter != wanted), before[column + 1] + 1, after[column] + 1))
        before = after
    return before[-1]
