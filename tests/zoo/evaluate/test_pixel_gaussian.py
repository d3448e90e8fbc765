"""The Gaussian baseline has the means and covariances of the pictures that it was fitted to."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sextant.zoo.evaluate.pixel_gaussian import fit_pixel_gaussian


def _correlated(rng: np.random.Generator, count: int, middle: float) -> NDArray[np.uint8]:
    """Pictures [n, 2, 3, 1] of which neighbours vary together, far from black and white."""
    shared = rng.normal(middle, 15, (count, 1, 1, 1))
    pictures: NDArray[np.uint8] = np.rint((shared + rng.normal(0, 8, (count, 2, 3, 1))).clip(0, 255)).astype(np.uint8)
    return pictures


def test_each_class_has_its_own_mean_and_covariance() -> None:
    rng = np.random.default_rng(0)
    images = np.concatenate([_correlated(rng, 400, 90), _correlated(rng, 400, 160)])
    labels = np.repeat([3, 7], 400)
    samples = fit_pixel_gaussian(images, labels).sample(np.repeat([7, 3], 20_000), seed=1)
    for label, drawn in ((7, samples[:20_000]), (3, samples[20_000:])):
        own = images[labels == label].reshape(400, -1).astype(float)
        flat = drawn.reshape(20_000, -1).astype(float)
        np.testing.assert_allclose(flat.mean(0), own.mean(0), atol=0.5)
        np.testing.assert_allclose(np.cov(flat.T), np.cov(own.T), rtol=0.06)


def test_the_diagonal_one_keeps_variances_and_drops_correlations() -> None:
    images = _correlated(np.random.default_rng(0), 400, 128)
    samples = fit_pixel_gaussian(images).sample(np.zeros(20_000, np.int64), diagonal=True)
    found = np.cov(samples.reshape(20_000, -1).T.astype(float))
    own = np.cov(images.reshape(400, -1).T.astype(float))
    np.testing.assert_allclose(np.diagonal(found), np.diagonal(own), rtol=0.06)
    assert np.abs(found - np.diag(np.diagonal(found))).max() < 0.05 * np.diagonal(own).min()


def test_a_seed_gives_the_same_pictures_and_another_seed_others() -> None:
    gaussian = fit_pixel_gaussian(_correlated(np.random.default_rng(0), 50, 128))
    asked = np.zeros(20, np.int64)
    assert (gaussian.sample(asked, seed=5) == gaussian.sample(asked, seed=5)).all()
    assert (gaussian.sample(asked, seed=5) != gaussian.sample(asked, seed=6)).any()


def test_a_class_that_it_never_saw_is_refused() -> None:
    gaussian = fit_pixel_gaussian(_correlated(np.random.default_rng(0), 50, 128))
    with pytest.raises(ValueError, match="class 4"):
        gaussian.sample(np.array([0, 4]))


def test_what_would_lie_beyond_black_or_white_is_clipped_not_wrapped() -> None:
    images = np.zeros((40, 1, 2, 1), np.uint8)
    images[::2] = 255
    samples = fit_pixel_gaussian(images).sample(np.zeros(2000, np.int64))
    assert (samples == 0).mean() > 0.1
    assert (samples == 255).mean() > 0.1
