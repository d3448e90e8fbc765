"""Whether each factor of the data has a coordinate of the latent space to itself, and each coordinate one factor.

The mutual information gap, MIG (Chen et al. 2018, eq. 6): for every factor v, the information about it in the
coordinate z that tells most, less that in the runner-up, over the factor's entropy; the mean over factors,

    1/K sum_k (I(z_j(k); v_k) - max_{j != j(k)} I(z_j; v_k)) / H(v_k).

Information is counted on the latent means in 20 equal-width bins, as Locatello et al. (2019) do.

DCI (Eastwood & Williams 2018, section 2) asks a sparse classifier for each factor, given the whole code; |weights| are
the importances R[d, K] of coordinates for factors. A coordinate's disentanglement is 1 - H(its importances) in base K,
weighted by the coordinate's share of all importance; a factor's completeness is 1 - H(its importances) in base d;
informativeness is how often the classifier is right on codes that it has not seen. Their lasso is an L1 penalty on
multinomial logistic regression here, as the factors are values of a list.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sextant.zoo.evaluate.sparse_classifier import accuracy_of, fit_sparse_classifier

_BINS = 20
_PENALTIES = (1e-3, 3e-3, 1e-2, 3e-2)


@dataclass(frozen=True, slots=True)
class Dci:
    """All in [0, 1] but `importance`, which is R, float[d, factors]. `accuracy` float[factors] is the share of
    each factor told rightly, and `informativeness` its mean."""

    disentanglement: float
    completeness: float
    informativeness: float
    importance: NDArray[np.float64]
    accuracy: NDArray[np.float64]


def mutual_information_gap(codes: NDArray[np.floating], factors: NDArray[np.integer]) -> float:
    """MIG of codes [n, d] for factors int[n, f], in [0, 1]. Raises `ValueError` where a factor never changes."""
    _check(codes, factors)
    binned = np.stack([_bins(column) for column in codes.T.astype(np.float64)], axis=1)
    gaps = []
    for factor in factors.T:
        entropy = _entropy(np.unique(factor, return_counts=True)[1])
        told = np.sort([_information(column, factor) for column in binned.T])
        gaps.append((told[-1] - told[-2]) / entropy)
    return float(np.mean(gaps))


def dci(codes: NDArray[np.floating], factors: NDArray[np.integer], seed: int = 0) -> Dci:
    """DCI of codes [n, d] for factors int[n, f].

    Half of the rows, at random, teach the classifiers; a quarter chooses each one's penalty; a quarter judges them.
    """
    _check(codes, factors)
    spread = codes.std(0, dtype=np.float64)
    x = (codes - codes.mean(0, dtype=np.float64)) / np.where(spread > 0, spread, 1.0)
    order = np.random.default_rng(seed).permutation(len(x))
    taught, choosing, judging = np.split(order, [len(x) // 2, len(x) * 3 // 4])
    importance, accuracy = np.zeros((x.shape[1], factors.shape[1])), np.zeros(factors.shape[1])
    for index, factor in enumerate(factors.T):
        y = np.unique(factor, return_inverse=True)[1]
        kinds = int(y.max()) + 1
        fitted = [fit_sparse_classifier(x[taught], y[taught], kinds, penalty) for penalty in _PENALTIES]
        # Of penalties that do equally well the largest, for the sparsest weights.
        best = max(reversed(fitted), key=lambda classifier: round(accuracy_of(classifier, x[choosing], y[choosing]), 3))
        importance[:, index] = np.abs(best.weights).sum(1)
        accuracy[index] = accuracy_of(best, x[judging], y[judging])
    return Dci(
        disentanglement=_disentanglement(importance),
        completeness=_completeness(importance),
        informativeness=float(accuracy.mean()),
        importance=importance,
        accuracy=accuracy,
    )


def _disentanglement(importance: NDArray[np.float64]) -> float:
    share = importance.sum(1) / max(importance.sum(), np.finfo(float).tiny)
    return float((share * [_concentration(row) for row in importance]).sum())


def _completeness(importance: NDArray[np.float64]) -> float:
    return float(np.mean([_concentration(column) for column in importance.T]))


def _concentration(weights: NDArray[np.float64]) -> float:
    """1 - the entropy of the weights in base of their number: 1 if one has all, 0 if all are alike or none is there."""
    if not weights.sum():
        return 0.0
    return 1.0 if len(weights) == 1 else 1.0 - _entropy(weights) / float(np.log(len(weights)))


def _bins(column: NDArray[np.float64]) -> NDArray[np.int64]:
    edges = np.linspace(column.min(), column.max(), _BINS + 1)[1:-1]
    return np.digitize(column, edges)


def _information(one: NDArray[np.int64], other: NDArray[np.integer]) -> float:
    """The mutual information of two lists of int[n], in nats."""
    counts = [np.unique(pair, axis=-1, return_counts=True)[1] for pair in (one, other, np.stack([one, other]))]
    return _entropy(counts[0]) + _entropy(counts[1]) - _entropy(counts[2])


def _entropy(weights: NDArray[np.floating] | NDArray[np.integer]) -> float:
    """The entropy in nats of weights that need not sum to one."""
    share = weights[weights > 0] / weights.sum()
    return float(-(share * np.log(share)).sum())


def _check(codes: NDArray[np.floating], factors: NDArray[np.integer]) -> None:
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors) or codes.shape[1] < 2:
        raise ValueError(f"codes [n, d >= 2] and factors [n, f] are wanted, not {codes.shape} and {factors.shape}")
    if not np.isfinite(codes).all():
        raise ValueError("codes must be finite")
    if (factors == factors[0]).all(0).any():
        raise ValueError("a factor that never changes cannot be found in a code")
