"""Precision, recall, density and coverage at their ends, and against a count by hand."""

import numpy as np
import pytest

from sextant.zoo.evaluate.precision_recall import precision_recall

_RNG = np.random.default_rng(0)
_REAL = _RNG.standard_normal((1200, 4))  # more than the rows of one part, so that parts are joined


def test_a_copy_of_the_real_data_has_everything() -> None:
    found = precision_recall(_REAL, _REAL.copy())
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)
    assert found.density >= 1


def test_samples_far_from_the_real_data_have_nothing() -> None:
    found = precision_recall(_REAL, _REAL + 100)
    assert (found.precision, found.recall, found.density, found.coverage) == (0, 0, 0, 0)


def test_samples_from_one_half_of_the_data_are_precise_but_recall_half() -> None:
    other_half = _RNG.standard_normal((1200, 4)) + 50
    found = precision_recall(np.concatenate([_REAL, other_half]), _RNG.standard_normal((1200, 4)))
    assert found.precision > 0.9
    assert found.recall == pytest.approx(0.5, abs=0.05)
    assert found.coverage == pytest.approx(0.5, abs=0.05)


def test_samples_from_the_same_distribution_have_a_density_near_one() -> None:
    found = precision_recall(_REAL, _RNG.standard_normal((1200, 4)))
    assert found.density == pytest.approx(1, abs=0.1)
    assert found.coverage == pytest.approx(1 - 2**-5, abs=0.03)


def test_all_samples_in_one_place_cover_nearly_nothing() -> None:
    found = precision_recall(_REAL, np.zeros((1200, 4)))
    assert found.precision == 1
    assert found.recall == 0
    assert found.coverage < 0.1


def test_it_agrees_with_a_count_by_hand() -> None:
    real = np.array([[0.0], [1.0], [3.0], [10.0]])  # nearest others at 1, 1, 2, 7
    samples = np.array([[0.5], [5.0], [20.0], [-1.5]])  # nearest others at 2, 4.5, 15, 2
    found = precision_recall(real, samples, neighbours=1, coverage_neighbours=1)
    # Balls [-1, 1], [0, 2], [1, 5], [3, 17] hold 0.5 twice, 5 twice, 20 and -1.5 not at all.
    assert found.precision == 2 / 4
    assert found.density == 4 / 4
    assert found.coverage == 4 / 4
    # Balls [-1.5, 2.5], [0.5, 9.5], [5, 35], [-3.5, 0.5] hold all of 0, 1, 3, 10.
    assert found.recall == 4 / 4


def test_points_far_from_the_origin_are_told_apart_all_the_same() -> None:
    samples = _RNG.standard_normal((1200, 4))
    near, far = precision_recall(_REAL, samples), precision_recall(_REAL + 1e6, samples + 1e6)
    assert far.precision == pytest.approx(near.precision, abs=0.002)
    assert far.coverage == pytest.approx(near.coverage, abs=0.002)


def test_too_few_points_are_refused() -> None:
    with pytest.raises(ValueError, match="neighbours"):
        precision_recall(_REAL[:5], _REAL)
