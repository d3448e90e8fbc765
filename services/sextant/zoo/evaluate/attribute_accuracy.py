"""Whether pictures show what their captions say, attribute by attribute, as a classifier of rendered pictures sees it.

Beside it the accuracy where captions are shuffled: each picture against the captions of all the others. It is what a
model would have that makes pictures like these and reads no words, and more than one over the number of values, since
captions agree by chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class AttributeAccuracy:
    """Shares in [0, 1]: `mean` over all attributes alike, `each` by name, `whole` of pictures right in all of them.

    `shuffled` and `shuffled_whole` are the mean and the whole against the captions of the other pictures.
    """

    mean: float
    each: dict[str, float]
    whole: float
    shuffled: float
    shuffled_whole: float


def attribute_accuracy(said: NDArray[np.int64], seen: NDArray[np.int64], names: Sequence[str]) -> AttributeAccuracy:
    """`said` int[n, attributes] is what the captions say, `seen` what the classifier took the pictures for; n > 1."""
    if said.shape != seen.shape or said.ndim != 2 or len(said) < 2 or said.shape[1] != len(names):
        raise ValueError(f"said and seen must be int[n, {len(names)}] alike with n > 1, not {said.shape}, {seen.shape}")
    right = said == seen
    others = [np.roll(said, shift, axis=0) == seen for shift in range(1, len(said))]
    return AttributeAccuracy(
        mean=float(right.mean()),
        each={name: float(share) for name, share in zip(names, right.mean(0), strict=True)},
        whole=float(right.all(1).mean()),
        shuffled=float(np.mean([one.mean() for one in others])),
        shuffled_whole=float(np.mean([one.all(1).mean() for one in others])),
    )
