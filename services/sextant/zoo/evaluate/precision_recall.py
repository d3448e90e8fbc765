"""How many samples look real, and how much of the real data the samples reach.

Improved precision and recall (Kynkäänniemi et al. 2019, eq. 1-2, k = 3): around every point of a set lies a ball that
reaches its k-th nearest neighbour in that set, and the balls together are the set's manifold. Precision is the share
of samples inside the manifold of the real data, recall the share of real data inside the manifold of the samples.

Density and coverage (Naeem et al. 2020, eq. 3-4, k = 5) count balls of the real data only, which outliers among the
samples cannot inflate. Density: how many such balls a sample lies in, over k; 1 for real data, above 1 where samples
crowd into the middle. Coverage: the share of real balls with a sample in them; about 1 - 2^-k for
other real data.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_ROWS_AT_ONCE = 1000
_ROUNDING = 1e-12  # squared distances below this share of the squared lengths are rounding: the points are one


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """All in [0, 1] but for the density, which is at least 0."""

    precision: float
    recall: float
    density: float
    coverage: float


def precision_recall(
    real: NDArray[np.floating],
    samples: NDArray[np.floating],
    *,
    neighbours: int = 3,
    coverage_neighbours: int = 5,
) -> PrecisionRecall:
    """The four measures for features real[n, d] and samples[m, d]; n and m should be equal to compare models by them.

    Raises `ValueError` where a set has no more points than neighbours are asked for.
    """
    most = max(neighbours, coverage_neighbours)
    if min(len(real), len(samples)) <= most:
        raise ValueError(f"{most} neighbours need more than {min(len(real), len(samples))} points")
    centre = real.mean(0, dtype=np.float64)  # distances between points near the origin round least
    x, y = real - centre, samples - centre
    ball, wide_ball = _radii(x, (neighbours, coverage_neighbours))
    (sample_ball,) = _radii(y, (neighbours,))
    inside = np.zeros(len(y), bool)
    balls_around = np.zeros(len(y), np.int64)
    recalled, covered = [], []
    for rows, squared in _squared_distances(x, y):
        inside |= (squared <= ball[rows, None]).any(0)
        recalled.append((squared <= sample_ball).any(1))
        within = squared <= wide_ball[rows, None]
        balls_around += within.sum(0)
        covered.append(within.any(1))
    return PrecisionRecall(
        precision=float(inside.mean()),
        recall=float(np.concatenate(recalled).mean()),
        density=float(balls_around.mean() / coverage_neighbours),
        coverage=float(np.concatenate(covered).mean()),
    )


def _radii(x: NDArray[np.float64], neighbours: tuple[int, ...]) -> list[NDArray[np.float64]]:
    """For each k, the squared distance of every point to its k-th nearest other point, [n]."""
    # A point is the nearest to itself: the k-th other one is at place k, counted from 0.
    nearest = [np.partition(squared, neighbours, axis=1)[:, neighbours] for _, squared in _squared_distances(x, x)]
    return list(np.concatenate(nearest).T)


def _squared_distances(x: NDArray[np.float64], y: NDArray[np.float64]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """(rows of x, their squared distances to all of y), some rows at a time so that memory stays small."""
    y_squared = np.square(y).sum(1)
    for start in range(0, len(x), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        lengths = np.square(x[rows]).sum(1)[:, None] + y_squared
        squared = lengths - 2 * (x[rows] @ y.T)
        squared[squared < _ROUNDING * lengths] = 0
        yield rows, squared
