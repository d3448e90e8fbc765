"""Whether what belongs together lies together: recall@1 of retrieval by cosine (as Radford et al. 2021 judge CLIP).

Of n pairs, how many have their own counterpart nearest among all n; by chance one in n.
"""

import numpy as np
from numpy.typing import NDArray


def recall_at_1(asked: NDArray[np.floating], among: NDArray[np.floating]) -> float:
    """The share of rows of `asked` [n, d] to which the row of the same number in `among` [n, d] is the nearest."""
    if asked.shape != among.shape or asked.ndim != 2 or not len(asked):
        raise ValueError(f"pairs must be [n, d] alike, not {asked.shape} and {among.shape}")
    one, other = (rows / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True) for rows in (asked, among))
    return float(((one @ other.T).argmax(1) == np.arange(len(one))).mean())
