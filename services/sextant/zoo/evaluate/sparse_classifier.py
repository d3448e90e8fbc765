"""Multinomial logistic regression with an L1 penalty, by FISTA (Beck & Teboulle 2009).

    minimise  mean_i -log softmax(x_i W + b)[y_i]  +  penalty sum |W|

The loss has gradients that change no faster than half the largest eigenvalue of x^T x / n (with the constant of the
bias among x), so steps of the inverse of that converge without any tuning.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_STEPS = 400
_SETTLED = 1e-6  # stop where no weight moves by more


@dataclass(frozen=True, slots=True)
class SparseClassifier:
    """`weights` float64[d, kinds] and `bias` float64[kinds]."""

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]


def fit_sparse_classifier(x: NDArray[np.float64], y: NDArray[np.int64], kinds: int, penalty: float) -> SparseClassifier:
    """Fitted to x[n, d], of standard deviation about 1, and y int[n] in 0 to kinds - 1. `penalty` is in nats."""
    count, width = x.shape
    inputs = np.concatenate([x, np.ones((count, 1))], axis=1)
    wanted = np.eye(kinds)[y]
    step = 2.0 / float(np.linalg.eigvalsh(inputs.T @ inputs / count)[-1])
    found = ahead = np.zeros((width + 1, kinds))
    momentum = 1.0
    for _ in range(_STEPS):
        gradient = inputs.T @ (_softmax(inputs @ ahead) - wanted) / count
        moved = ahead - step * gradient
        moved[:-1] = np.sign(moved[:-1]) * (np.abs(moved[:-1]) - step * penalty).clip(0)
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = moved + (momentum - 1) / following * (moved - found)
        change = np.abs(moved - found).max()
        found, momentum = moved, following
        if change < _SETTLED:
            break
    return SparseClassifier(found[:-1], found[-1])


def accuracy_of(classifier: SparseClassifier, x: NDArray[np.float64], y: NDArray[np.int64]) -> float:
    """The share of rows of x[n, d] whose y int[n] the classifier tells."""
    return float(((x @ classifier.weights + classifier.bias).argmax(1) == y).mean())


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(scores - scores.max(1, keepdims=True))
    share: NDArray[np.float64] = raised / raised.sum(1, keepdims=True)
    return share
