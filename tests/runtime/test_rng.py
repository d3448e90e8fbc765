"""Randomness that belongs to a request."""

import math

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from sextant.runtime.rng import RequestRng

seeds = st.integers(0, 2**64 - 1)


@given(seeds, st.integers(0, 63), st.text(max_size=10), st.integers(0, 2**63 - 1))
def test_a_draw_depends_on_its_key_alone(seed, item, purpose, index):
    first, second = RequestRng(seed, item), RequestRng(seed, item)
    second.normal("something else", 5, (3,))
    assert np.array_equal(first.uniform(purpose, index, (4,)), second.uniform(purpose, index, (4,)))
    assert np.array_equal(first.normal(purpose, index, (5,)), second.normal(purpose, index, (5,)))


@given(seeds)
def test_seed_item_purpose_and_index_each_change_the_draw(seed):
    base = RequestRng(seed).uniform("a", 0, (4,))
    others = [
        RequestRng((seed + 1) % 2**64).uniform("a", 0, (4,)),
        RequestRng(seed, 1).uniform("a", 0, (4,)),
        RequestRng(seed).uniform("b", 0, (4,)),
        RequestRng(seed).uniform("a", 1, (4,)),
    ]
    assert not any(np.array_equal(base, other) for other in others)


def test_draws_have_the_distributions_they_claim():
    rng = RequestRng(12345)
    uniform, normal = rng.uniform("u", 0, (200_000,)), rng.normal("n", 0, (200_000,))
    normal_cdf = 0.5 * (1.0 + np.vectorize(math.erf)(normal / math.sqrt(2.0)))
    ranks = np.arange(1, 200_001) / 200_000
    limit = 1.95 / math.sqrt(200_000)  # Kolmogorov-Smirnov at the 0.1% level
    assert np.abs(np.sort(uniform) - ranks).max() < limit
    assert np.abs(np.sort(normal_cdf) - ranks).max() < limit
    assert uniform.min() >= 0.0
    assert uniform.max() < 1.0


def test_neighbouring_indices_do_not_overlap():
    """Philox gives four words a counter; a long draw must not run into the next index's."""
    rng = RequestRng(1)
    first, second = rng.uniform("a", 0, (64,)), rng.uniform("a", 1, (64,))
    assert not set(first) & set(second)


def test_the_values_are_pinned():
    """A receipt must replay years later: these values may never change."""
    rng = RequestRng(2**64 - 1, 3)
    assert rng.uniform("token", 5) == 0.14967411434192968
