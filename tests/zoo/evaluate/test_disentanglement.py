"""MIG and DCI tell a code with a coordinate for each factor from one that mixes them and one that knows nothing."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sextant.zoo.evaluate.disentanglement import dci, mutual_information_gap

_RNG = np.random.default_rng(0)
_FACTORS = np.stack([_RNG.integers(5, size=3000), _RNG.integers(3, size=3000)], axis=1)


def _perfect() -> NDArray[np.float64]:
    idle = _RNG.standard_normal((3000, 2))
    return np.column_stack([idle[:, 0], 2.0 * _FACTORS[:, 1], -0.5 * _FACTORS[:, 0], idle[:, 1]])


def test_a_coordinate_for_each_factor_is_nearly_perfect() -> None:
    assert mutual_information_gap(_perfect(), _FACTORS) > 0.97
    found = dci(_perfect(), _FACTORS)
    assert found.disentanglement > 0.9
    assert found.completeness > 0.9
    assert found.informativeness > 0.99
    assert found.importance.argmax(0).tolist() == [2, 1]


def test_a_code_drawn_by_chance_has_next_to_nothing() -> None:
    code = _RNG.standard_normal((3000, 4))
    assert mutual_information_gap(code, _FACTORS) < 0.02
    assert dci(code, _FACTORS).accuracy == pytest.approx([1 / 5, 1 / 3], abs=0.05)


def test_turned_coordinates_know_as_much_but_are_not_disentangled() -> None:
    code = (_FACTORS - _FACTORS.mean(0)) / _FACTORS.std(0)
    turned = code @ np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2)
    assert mutual_information_gap(turned, _FACTORS) < 0.1
    found = dci(turned, _FACTORS)
    assert found.informativeness > 0.99
    assert found.disentanglement < 0.1
    assert found.completeness < 0.1


def test_a_factor_told_twice_has_no_gap_and_is_not_complete() -> None:
    code = np.column_stack([_FACTORS, _FACTORS]).astype(float)
    assert mutual_information_gap(code, _FACTORS) == pytest.approx(0, abs=1e-9)
    assert dci(code, _FACTORS).disentanglement > 0.9
    assert dci(code, _FACTORS).completeness < 0.6


def test_information_in_the_best_coordinate_is_counted_in_bits_of_the_factor() -> None:
    # The first coordinate tells one of two equal halves of four values: 1 bit of 2. The other tells nothing.
    factor = np.tile(np.arange(4), 500)
    code = np.column_stack([factor // 2, np.repeat(np.arange(500), 4) % 2]).astype(float)
    assert mutual_information_gap(code, factor[:, None]) == pytest.approx(0.5, abs=1e-9)


def test_a_factor_that_never_changes_is_refused() -> None:
    with pytest.raises(ValueError, match="never changes"):
        mutual_information_gap(_perfect(), np.zeros((3000, 1), np.int64))
