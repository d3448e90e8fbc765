"""What somebody means in plain words: the row of the guide whose examples are nearest, and how sure that is.

Embeddings of length 1 are compared by k(x, y) = exp(`_SHARPNESS` (x.y - 1)). Kernel ridge regression (Saunders et al.
1998) learns from the examples which row each belongs to, so that what tells rows apart weighs more than what they
share: "a quick picture of a boot" is nearer to other quick things than to other boots. What people say who mean no row
counts as one more row. The exponentials of the regressed values, over the guide's `temperature`, are shares of a whole
in which `floor` has one too: so words that are near to nothing are not understood, nor are words that are as near to
one row as to another. The temperature is fitted so that a share is a probability.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sextant.gateway.guide.schema import Guide, IntentSettings, Row

_SHARPNESS = 2.0
_RIDGE = 0.2
_GUESSES = 3


@dataclass(frozen=True)
class Examples:
    """What was learnt of a guide's examples.

    `numbers` are those of the rows that have any, -1 for none of them; `embedded` float32[n, d] are the examples, of
    length 1, and `weights` float64[n, len(numbers)] what each counts for each row.
    """

    rows: tuple[Row, ...]
    numbers: NDArray[np.int64]
    embedded: NDArray[np.float32]
    weights: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Meaning:
    """The row that is meant, None where that is not sure enough or it is none; the likeliest rows, likeliest first."""

    row: Row | None
    confidence: float
    guesses: tuple[tuple[Row, float], ...]


def phrases(guide: Guide) -> tuple[tuple[str, int], ...]:
    """Every example of the guide, with the number of its row, -1 for none."""
    meant = [(phrase, number) for number, row in enumerate(guide.rows) for phrase in row.examples]
    return (*meant, *((phrase, -1) for phrase in guide.intent.elsewhere))


def examples(guide: Guide, embedded: NDArray[np.float32]) -> Examples:
    """What the examples teach, by their embeddings, float32[n, d] in the order of `phrases`."""
    row_of = np.array([number for _, number in phrases(guide)], np.int64)
    numbers = np.unique(row_of)
    of_length_1 = _unit(embedded)
    ridge = _RIDGE * np.eye(len(row_of))
    belongs = (row_of[:, None] == numbers).astype(np.float64)
    weights = np.linalg.solve(_kernel(of_length_1, of_length_1) + ridge, belongs)
    return Examples(guide.rows, numbers, of_length_1, weights)


def meaning(known: Examples, embedding: NDArray[np.float32], settings: IntentSettings) -> Meaning:
    """What words with this embedding, float32[d], mean."""
    nearness = (_kernel(_unit(embedding[None]), known.embedded) @ known.weights)[0]
    shares = np.append(nearness, settings.floor) / settings.temperature
    shares = np.exp(shares - shares.max())
    shares /= shares.sum()
    order = np.argsort(-shares[:-1], kind="stable")
    guesses = [(known.rows[known.numbers[at]], float(shares[at])) for at in order if known.numbers[at] >= 0]
    best = int(shares.argmax())
    confidence = float(shares[best])
    sure = best < len(known.numbers) and known.numbers[best] >= 0 and confidence >= settings.least_confidence
    return Meaning(known.rows[known.numbers[best]] if sure else None, confidence, tuple(guesses[:_GUESSES]))


def _kernel(some: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    cosines: NDArray[np.float64] = some.astype(np.float64) @ others.astype(np.float64).T
    kernel: NDArray[np.float64] = np.exp(_SHARPNESS * (cosines - 1))
    return kernel


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    of_length_1: NDArray[np.float32] = (vectors / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float32)
    return of_length_1


def class_named(words: str, labels: Sequence[str]) -> str:
    """The one label that the words name: whole, or by its last word, as "boot" names an ankle boot; "" for none.

    Plural endings do not matter. A number in words names the label that is its digit.
    """
    said = [_singular(word) for word in _words(words)]
    named = {label: [_singular(word) for word in _words(label)] for label in labels}
    whole = {label: parts for label, parts in named.items() if parts and _holds(said, parts)}
    # "ankle boot" says no more than that; "a boot and a bag" says two things, one by its last word.
    spoken = {word for parts in whole.values() for word in parts}
    partly = {label: parts for label, parts in named.items() if parts and parts[-1] in said and parts[-1] not in spoken}
    longest = [label for label in whole if not any(label != other and label in other for other in whole)]
    found = [*longest, *partly]
    if found:
        return found[0] if len(found) == 1 else ""
    digits = [str(_NUMBERS.index(word)) for word in said if word in _NUMBERS]
    return digits[0] if len(digits) == 1 and digits[0] in labels else ""


_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def _words(text: str) -> list[str]:
    kept = "".join(letter if letter.isalnum() or letter == "-" else " " for letter in text.casefold())
    return kept.split()


def _singular(word: str) -> str:
    if word.endswith(("sses", "shes", "ches")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word


def _holds(said: Sequence[str], whole: Sequence[str]) -> bool:
    length = len(whole)
    return any(list(said[at : at + length]) == list(whole) for at in range(len(said) - length + 1))
