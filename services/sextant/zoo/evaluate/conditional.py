"""Whether a class-conditional model draws what it was asked for.

The accuracy of a classifier of real data on samples, against the classes they were asked to be: "GAN-test" (Shmelkov
et al. 2018, "How good is my GAN?", section 3). It cannot be told from quality alone: a model that draws one perfect
picture per class has all of it, so it is read beside recall and coverage.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ConditionalAccuracy:
    """`overall` is over all samples, `per_class` by class number; `confusion` counts int[asked, told], sorted."""

    overall: float
    per_class: dict[int, float]
    confusion: NDArray[np.int64]


def conditional_accuracy(asked: NDArray[np.int64], told: NDArray[np.int64]) -> ConditionalAccuracy:
    """`asked` int[n] are the classes the samples were asked to be, `told` int[n] what the classifier took them for."""
    if asked.shape != told.shape or asked.ndim != 1 or not len(asked):
        raise ValueError(f"the classes asked for and told must be int[n] alike, not {asked.shape} and {told.shape}")
    classes = np.unique(np.concatenate([asked, told]))
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (np.searchsorted(classes, asked), np.searchsorted(classes, told)), 1)
    per_class = {
        int(label): float(row[place] / row.sum())
        for place, (label, row) in enumerate(zip(classes, confusion, strict=True))
        if row.sum()
    }
    return ConditionalAccuracy(float((asked == told).mean()), per_class, confusion)
