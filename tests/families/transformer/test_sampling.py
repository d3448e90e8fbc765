"""The token filters against a naive version that sorts everything, and the draws against their distribution."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sextant.families.transformer.sampling import SamplingParameters, TokenChooser, log_normaliser, top_tokens

NOTHING_SEEN = np.empty(0, dtype=np.int64)


def choose_token(
    logits: NDArray[np.float32], parameters: SamplingParameters, seen: NDArray[np.int64], uniform: float
) -> int:
    return TokenChooser(len(logits)).choose(logits, parameters, seen, uniform)


def naive_distribution(logits: NDArray[np.float32], parameters: SamplingParameters) -> NDArray[np.float64]:
    """The same filters over a full, stable sort, in float64."""
    scaled = (logits - logits.max()) / np.float32(parameters.temperature)
    weights = np.exp(scaled)
    order = np.argsort(-weights, kind="stable")
    if parameters.top_k:
        order = order[: parameters.top_k]
    if parameters.top_p < 1:
        total = weights[order].sum(dtype=np.float64)
        before = np.concatenate([[0.0], weights[order].cumsum(dtype=np.float64)[:-1]])
        order = order[before < parameters.top_p * total]
    order = order[weights[order] >= np.float32(parameters.min_p)]
    distribution: NDArray[np.float64] = np.zeros(len(logits))
    distribution[order] = weights[order] / weights[order].sum(dtype=np.float64)
    return distribution


# Quarters, so that ties occur and sums are exact enough for both orders of adding to agree.
logit_rows = st.lists(st.integers(-24, 24), min_size=1, max_size=60).map(lambda row: np.array(row, np.float32) / 4)
filters = st.builds(
    SamplingParameters,
    temperature=st.sampled_from([0.25, 0.7, 1.0, 3.0]),
    top_k=st.integers(0, 70),
    top_p=st.sampled_from([0.01, 0.3, 0.77, 0.9, 0.9999, 1.0]),
    min_p=st.sampled_from([0.0, 0.013, 0.4, 1.0]),
)


@given(logits=logit_rows, parameters=filters, grid=st.integers(2, 40))
def test_every_draw_is_that_of_a_full_sort(
    logits: NDArray[np.float32], parameters: SamplingParameters, grid: int
) -> None:
    expected = naive_distribution(logits, parameters)
    steps = expected.cumsum()
    for uniform in (np.arange(grid) + 0.5) / grid:
        token = choose_token(logits, parameters, NOTHING_SEEN, float(uniform))
        assert expected[token] > 0
        assert steps[token] - expected[token] - 1e-5 <= uniform <= steps[token] + 1e-5


def test_draws_follow_the_distribution() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 2, 50).astype(np.float32)
    parameters = SamplingParameters(temperature=0.8, top_p=0.95)
    expected = naive_distribution(logits, parameters)
    draws = 4000
    tokens = [choose_token(logits, parameters, NOTHING_SEEN, uniform) for uniform in rng.random(draws)]
    counts = np.bincount(tokens, minlength=len(logits))
    kept = expected > 0

    assert counts[~kept].sum() == 0
    chi_square = ((counts[kept] - draws * expected[kept]) ** 2 / (draws * expected[kept])).sum()
    freedom = kept.sum() - 1
    assert chi_square < freedom + 4 * np.sqrt(2 * freedom)


def test_the_greedy_token_is_the_first_of_the_most_likely() -> None:
    logits = np.array([0, 3, 1, 3], dtype=np.float32)
    assert choose_token(logits, SamplingParameters(temperature=0), NOTHING_SEEN, 0.99) == 1


def test_of_equal_tokens_the_lower_id_passes_a_filter() -> None:
    logits = np.zeros(10, dtype=np.float32)
    uniforms = np.linspace(0, 0.999, 50)
    for parameters in (SamplingParameters(top_k=3), SamplingParameters(top_p=0.25)):
        assert {choose_token(logits, parameters, NOTHING_SEEN, float(u)) for u in uniforms} == {0, 1, 2}


def test_a_tiny_temperature_is_greedy_and_not_an_overflow() -> None:
    logits = np.array([-80, 90, 89.9], dtype=np.float32)
    with np.errstate(over="raise", invalid="raise"):
        assert choose_token(logits, SamplingParameters(temperature=1e-6, top_p=0.9), NOTHING_SEEN, 0.999) == 1


def test_the_repetition_penalty_makes_seen_tokens_less_likely_whatever_their_sign() -> None:
    logits = np.array([2.0, 1.9, -1.0, -1.1], dtype=np.float32)
    parameters = SamplingParameters(temperature=0, repetition_penalty=1.2)
    assert choose_token(logits, parameters, np.array([0]), 0.0) == 1
    assert choose_token(logits[2:], parameters, np.array([0]), 0.0) == 1
    assert logits[0] == 2.0


@given(logits=logit_rows, count=st.integers(0, 20))
def test_alternatives_come_most_likely_first(logits: NDArray[np.float32], count: int) -> None:
    assert top_tokens(logits, count).tolist() == np.argsort(-logits, kind="stable")[:count].tolist()


def test_log_probabilities_are_normalised() -> None:
    logits = np.random.default_rng(0).normal(0, 4, 50_000).astype(np.float32)
    assert np.exp(logits.astype(np.float64) - log_normaliser(logits)).sum() == pytest.approx(1, abs=1e-6)


def test_a_row_of_50_000_tokens_is_drawn_in_a_fraction_of_a_network_call() -> None:
    logits = np.random.default_rng(0).gumbel(0, 3, 50_000).astype(np.float32)
    parameters = SamplingParameters(temperature=0.8, top_k=50, top_p=0.9, min_p=0.01)
    times, chooser = [], TokenChooser(len(logits))
    for _ in range(20):
        started = time.perf_counter()
        chooser.choose(logits, parameters, NOTHING_SEEN, 0.5)
        times.append(time.perf_counter() - started)
    assert min(times) < 0.004  # typically thirty times less
