"""Accuracy on class-conditional samples, overall and class by class."""

import numpy as np
import pytest

from sextant.zoo.evaluate.conditional import conditional_accuracy


def test_accuracy_is_counted_overall_and_for_each_class_that_was_asked_for() -> None:
    asked = np.array([0, 0, 0, 0, 2, 2])
    told = np.array([0, 0, 0, 5, 2, 0])
    found = conditional_accuracy(asked, told)
    assert found.overall == pytest.approx(4 / 6)
    assert found.per_class == {0: 0.75, 2: 0.5}
    np.testing.assert_array_equal(found.confusion, [[3, 0, 1], [1, 1, 0], [0, 0, 0]])


def test_lists_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="alike"):
        conditional_accuracy(np.zeros(3, np.int64), np.zeros(4, np.int64))
