"""Bits per dimension from log-likelihoods in nats."""

import math

import numpy as np
import pytest

from sextant.zoo.evaluate.likelihood import bits_per_dimension, mean_nats


def test_pixels_of_256_equally_likely_levels_take_8_bits_each() -> None:
    found = bits_per_dimension([-784 * math.log(256)] * 5, 784)
    assert found.value == pytest.approx(8)
    assert found.standard_error == pytest.approx(0)


def test_the_standard_error_is_that_of_the_mean() -> None:
    found = mean_nats(np.array([1.0, 3.0]))
    assert found.value == 2
    assert found.standard_error == pytest.approx(1)  # deviation sqrt(2) over sqrt(2)
    assert mean_nats([4.0]).standard_error == 0


def test_no_items_have_no_mean() -> None:
    with pytest.raises(ValueError, match=r"\[n\]"):
        mean_nats([])
