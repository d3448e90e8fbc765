"""Choosing the next token from logits. NumPy, one row at a time, well under a millisecond for 50,000 tokens.

Filters apply in the usual order: repetition penalty (Keskar et al. 2019, "CTRL"), temperature, top-k (Fan et al.
2018), top-p (Holtzman et al. 2020), min-p (Nguyen et al. 2024). Ties are broken in favour of the lower token id.
Log-probabilities are always those of the model's own distribution, before any of it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SamplingParameters:
    """The filters. Temperature 0 is greedy; top_k 0, top_p 1, min_p 0 and repetition_penalty 1 do nothing."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0


def choose_token(logits: Logits, parameters: SamplingParameters, seen: NDArray[np.int64], uniform: float) -> int:
    """The next token, from logits float32[vocab], by inverse CDF of `uniform` in [0, 1).

    `seen` are the distinct tokens of prompt and answer so far. `uniform` is not used where temperature is 0.
    """
    if parameters.repetition_penalty != 1:
        logits = _penalise(logits, seen, parameters.repetition_penalty)
    if parameters.temperature == 0:
        return int(logits.argmax())
    ids, weights = _candidates(logits, parameters)
    cumulative = weights.cumsum(dtype=np.float64)
    index = int(np.searchsorted(cumulative, uniform * cumulative[-1], side="right"))
    # Rounding can bring the product up to the whole sum.
    return int(ids[min(index, len(ids) - 1)])


def log_normaliser(logits: Logits) -> float:
    """log sum exp of float32[vocab]: what to subtract from a logit for its log-probability, in nats."""
    largest = logits.max()
    return float(largest) + float(np.log(np.exp(logits - largest).sum(dtype=np.float64)))


def top_tokens(logits: Logits, count: int) -> NDArray[np.int64]:
    """The `count` most likely tokens, most likely first."""
    ids = _largest(logits, min(count, len(logits)))
    return ids[np.argsort(-logits[ids], kind="stable")]


def _penalise(logits: Logits, seen: NDArray[np.int64], penalty: float) -> Logits:
    penalised = logits.copy()
    values = penalised[seen]
    penalised[seen] = np.where(values > 0, values / np.float32(penalty), values * np.float32(penalty))
    return penalised


def _candidates(logits: Logits, parameters: SamplingParameters) -> tuple[NDArray[np.int64], Logits]:
    """The tokens that pass the filters, in order of their ids, with weights proportional to their probabilities."""
    # Subtracting the maximum first keeps tiny temperatures from overflowing.
    scaled = (logits - logits.max()) / np.float32(parameters.temperature)
    ids = np.arange(len(logits))
    if 0 < parameters.top_k < len(logits):
        ids = _largest(scaled, parameters.top_k)
    weights = np.exp(scaled[ids] if len(ids) < len(logits) else scaled)
    if parameters.top_p < 1:
        kept = _nucleus(weights, parameters.top_p)
        ids, weights = ids[kept], weights[kept]
    if parameters.min_p > 0:
        kept = np.flatnonzero(weights >= np.float32(parameters.min_p))  # the largest weight is 1
        ids, weights = ids[kept], weights[kept]
    return ids, weights


def _largest(values: Logits, count: int) -> NDArray[np.int64]:
    """Indices, ascending, of the `count` largest values; of equal ones the first."""
    if count == 0:
        return np.empty(0, dtype=np.int64)
    threshold = np.partition(values, len(values) - count)[len(values) - count]
    return _above_and_first_equal(values, threshold, count)


def _nucleus(weights: Logits, top_p: float) -> NDArray[np.int64]:
    """Indices, ascending, of the smallest set of largest weights whose share of the sum reaches `top_p`.

    All weights below (1 - top_p) / n of the sum together cannot make up 1 - top_p of it, so the set lies among
    the others. There are few of those, as a rule, and only they are sorted.
    """
    total = weights.sum(dtype=np.float64)
    likely = weights[weights >= np.float32((1 - top_p) * total / len(weights) * 0.999)]
    likely.sort()
    cumulative = likely[::-1].cumsum(dtype=np.float64)
    count = min(int(np.searchsorted(cumulative, top_p * total)) + 1, len(likely))
    return _above_and_first_equal(weights, likely[len(likely) - count], count)


def _above_and_first_equal(values: Logits, threshold: np.float32, count: int) -> NDArray[np.int64]:
    """The `count` indices, ascending, of the values above `threshold` and of the first ones equal to it."""
    ids = np.flatnonzero(values >= threshold)
    surplus = len(ids) - count
    if surplus > 0:
        equal = np.flatnonzero(values[ids] == threshold)
        ids = np.delete(ids, equal[len(equal) - surplus :])
    return ids
