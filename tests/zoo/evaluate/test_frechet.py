"""The Fréchet distance agrees with its closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sextant.zoo.evaluate.frechet import Moments, distance, frechet_distance, moments, normalised_quality, real_distance


def _whitened(rng: np.random.Generator, count: int, width: int) -> NDArray[np.float64]:
    """Points whose sample mean is exactly 0 and sample covariance exactly 1."""
    x = rng.standard_normal((count, width))
    x -= x.mean(0)
    return x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T


@given(
    shift=st.floats(-3, 3),
    one=st.lists(st.floats(0.1, 4), min_size=4, max_size=4),
    other=st.lists(st.floats(0.1, 4), min_size=4, max_size=4),
)
@settings(max_examples=25, deadline=None)
def test_of_gaussians_with_covariances_that_commute_it_is_that_of_their_deviations(
    shift: float, one: list[float], other: list[float]
) -> None:
    turned, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((4, 4)))
    a = Moments(np.zeros(4), turned @ np.diag(np.square(one)) @ turned.T)
    b = Moments(np.full(4, shift), turned @ np.diag(np.square(other)) @ turned.T)
    expected = 4 * shift**2 + np.square(np.subtract(one, other)).sum()
    assert distance(a, b) == pytest.approx(expected, abs=1e-9)
    assert distance(b, a) == pytest.approx(expected, abs=1e-9)


def test_of_gaussians_that_do_not_commute_it_agrees_with_the_eigenvalues_of_their_product() -> None:
    rng = np.random.default_rng(1)
    roots = rng.standard_normal((2, 5, 5))
    a, b = (Moments(rng.standard_normal(5), root @ root.T) for root in roots)
    shared = np.sqrt(np.linalg.eigvals(a.covariance @ b.covariance).real).sum()
    traces = np.trace(a.covariance) + np.trace(b.covariance)
    assert distance(a, b) == pytest.approx(np.square(a.mean - b.mean).sum() + traces - 2 * shared, rel=1e-9)


def test_from_samples_it_is_the_distance_of_their_moments() -> None:
    rng = np.random.default_rng(2)
    x = _whitened(rng, 200, 3)
    assert frechet_distance(x, 3 * _whitened(rng, 300, 3) + 2) == pytest.approx(3 * 2**2 + 3 * (3 - 1) ** 2)
    assert frechet_distance(x, x[::-1]) == pytest.approx(0, abs=1e-9)


def test_features_of_which_some_never_vary_have_a_distance_too() -> None:
    x = np.random.default_rng(3).standard_normal((50, 4)).astype(np.float32)
    x[:, 2] = 0
    assert frechet_distance(x, x + np.float32(1)) == pytest.approx(4, rel=1e-5)


def test_real_data_are_nearer_to_themselves_the_larger_the_samples() -> None:
    real = np.random.default_rng(4).standard_normal((4000, 8))
    assert real_distance(real, 2000) < real_distance(real, 200) / 4
    with pytest.raises(ValueError, match="disjoint"):
        real_distance(real, 2001)


def test_quality_is_one_for_real_data_and_nought_for_the_gaussian() -> None:
    assert normalised_quality(2.0, 2.0, 12.0) == 1
    assert normalised_quality(12.0, 2.0, 12.0) == 0
    assert normalised_quality(17.0, 2.0, 12.0) == -0.5
    with pytest.raises(ValueError, match="above"):
        normalised_quality(1.0, 2.0, 2.0)


def test_features_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        moments(np.array([[0.0, np.nan], [1.0, 1.0]]))
