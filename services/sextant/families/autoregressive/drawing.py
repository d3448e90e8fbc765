"""One value out of many, by its logits: temperature, nucleus, and a uniform number that decides."""

import numpy as np
from numpy.typing import NDArray


def draw(
    logits: NDArray[np.float32],
    uniform: NDArray[np.float64],
    temperature: NDArray[np.float64],
    top_p: NDArray[np.float64],
) -> NDArray[np.int64]:
    """The value drawn for each row of logits[b, n]: where the cumulative probability passes uniform[b], in [0, 1).

    Temperature 0 takes the most likely. Of the others only the smallest set whose probability reaches `top_p` stays
    (Holtzman et al. 2020); values as likely as the least of them stay as well. A row's value depends on that row alone.
    """
    scaled = logits.astype(np.float64) / np.where(temperature > 0, temperature, 1.0)[:, None]
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares = weights / weights.sum(axis=1, keepdims=True)
    if (top_p < 1).any():
        falling = -np.sort(-shares, axis=1)
        enough = np.argmax(np.cumsum(falling, axis=1) >= top_p[:, None] - 1e-12, axis=1)
        least = np.where(top_p < 1, falling[np.arange(len(falling)), enough], 0.0)
        shares = np.where(shares >= least[:, None], shares, 0.0)
    kept = np.cumsum(shares, axis=1)
    drawn = (kept <= (uniform * kept[:, -1])[:, None]).sum(axis=1)
    last = shares.shape[1] - 1
    found: NDArray[np.int64] = np.where(temperature > 0, np.minimum(drawn, last), np.argmax(logits, axis=1))
    return found


def log_shares(logits: NDArray[np.float32], axis: int) -> NDArray[np.float64]:
    """log softmax, in float64."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=axis, keepdims=True)
    shares: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))
    return shares
