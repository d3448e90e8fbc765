"""Recall@1: who finds its own counterpart."""

import numpy as np
import pytest

from sextant.zoo.evaluate.retrieval import recall_at_1


def test_pairs_that_lie_together_find_each_other_whatever_their_lengths():
    rows = np.random.default_rng(0).normal(size=(50, 8))
    noisy = rows + 0.01 * np.random.default_rng(1).normal(size=(50, 8))
    assert recall_at_1(rows, 3 * noisy) == 1.0


def test_one_of_a_pair_that_lies_elsewhere_is_counted():
    rows = np.eye(4)
    assert recall_at_1(rows, rows[[0, 1, 3, 2]]) == 0.5


def test_strangers_find_each_other_by_chance_alone():
    rng = np.random.default_rng(0)
    assert recall_at_1(rng.normal(size=(200, 16)), rng.normal(size=(200, 16))) < 0.05


def test_lists_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="pairs"):
        recall_at_1(np.eye(3), np.eye(4))
