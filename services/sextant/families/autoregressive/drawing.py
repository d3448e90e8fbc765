"""One value out of many, by its logits: temperature, nucleus, and a uniform number that decides."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_SHARPEST = 1e30  # of 1 / temperature, which must stay a number
_ROUNDING = 1e-6

Draw = Callable[[NDArray[np.float32], NDArray[np.float64]], NDArray[np.int64]]


def drawing(temperature: NDArray[np.float64], top_p: NDArray[np.float64]) -> Draw:
    """How rows of these settings draw: (logits[b, n], uniform[b] in [0, 1)) -> values[b].

    A row's value is where its cumulative probability passes its uniform number; it depends on that row alone.
    Temperature 0 takes the most likely. Of the others only the smallest set whose probability reaches `top_p` stays
    (Holtzman et al. 2020); values as likely as the least of them stay as well.
    """
    greedy = temperature <= 0
    sharpness = np.minimum(1 / np.where(greedy, 1.0, temperature), _SHARPEST).astype(np.float32)[:, None]
    some_greedy, some_nucleus = bool(greedy.any()), bool((top_p < 1).any())

    def draw(logits: NDArray[np.float32], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
        weights = logits - logits.max(axis=1, keepdims=True)
        weights *= sharpness
        np.exp(weights, out=weights)
        kept = np.cumsum(_nucleus(weights, top_p) if some_nucleus else weights, axis=1, dtype=np.float64)
        passed = (kept <= (uniform * kept[:, -1])[:, None]).sum(axis=1)
        drawn: NDArray[np.int64] = np.minimum(
            passed, logits.shape[1] - 1
        )  # uniform times the whole may round to the whole
        return np.where(greedy, logits.argmax(axis=1), drawn) if some_greedy else drawn

    return draw


def _nucleus(weights: NDArray[np.float32], top_p: NDArray[np.float64]) -> NDArray[np.float64]:
    shares = weights.astype(np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    falling = -np.sort(-shares, axis=1)
    enough = np.argmax(np.cumsum(falling, axis=1) >= top_p[:, None] - _ROUNDING, axis=1)
    least = np.where(top_p < 1, falling[np.arange(len(falling)), enough], 0.0)
    found: NDArray[np.float64] = np.where(shares >= least[:, None], shares, 0.0)
    return found


def log_shares(logits: NDArray[np.float32], axis: int) -> NDArray[np.float64]:
    """log softmax, in float64."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=axis, keepdims=True)
    shares: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))
    return shares
