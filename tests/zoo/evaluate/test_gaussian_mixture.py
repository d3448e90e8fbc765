"""Mixtures of Gaussians: EM goes up, finds what is there, and answers with densities that are densities."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from sextant.zoo.evaluate.gaussian_mixture import fit_gaussian_mixture


def _three_clouds(rng: np.random.Generator, count: int) -> tuple[NDArray[np.float64], float]:
    """Rows of three well separated Gaussians in units of very different size, and the mean log-density of them."""
    kinds = rng.choice(3, count, p=[0.5, 0.3, 0.2])
    centres = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    unit = centres[kinds] + rng.standard_normal((count, 2))
    near = np.log([0.5, 0.3, 0.2]) - np.square(unit[:, None] - centres).sum(2) / 2 - math.log(2 * math.pi)
    nats = np.log(np.exp(near).sum(1)).mean() - math.log(1000)  # the second column is a thousand times as wide
    return unit * [1, 1000], float(nats)


def test_a_single_component_is_the_gaussian_of_the_sample_moments() -> None:
    rows = np.random.default_rng(0).standard_normal((500, 3)) @ np.array([[2.0, 1, 0], [0, 1, 0], [0, 3, 5]]) + 7
    found = fit_gaussian_mixture(rows, 1)
    covariance = np.cov(rows.T, bias=True)
    off = rows - rows.mean(0)
    expected = -np.einsum("ni,ij,nj->n", off, np.linalg.inv(covariance), off) / 2
    expected -= np.linalg.slogdet(2 * math.pi * covariance)[1] / 2
    np.testing.assert_allclose(found.log_likelihood(rows), expected, atol=1e-3)


def test_em_never_goes_down() -> None:
    rng = np.random.default_rng(1)
    for components in (2, 5, 10):
        rows = rng.standard_normal((300, 4)) ** 3
        history = fit_gaussian_mixture(rows, components, restarts=1, tolerance=1e-9).history
        assert len(history) > 3
        assert (np.diff(history) > -1e-12).all()


def test_it_finds_the_density_that_rows_were_drawn_from() -> None:
    rng = np.random.default_rng(2)
    rows, _ = _three_clouds(rng, 4000)
    unseen, nats = _three_clouds(rng, 4000)
    found = fit_gaussian_mixture(rows, 3)
    assert found.log_likelihood(unseen).mean() == pytest.approx(nats, abs=0.02)
    assert np.sort(np.exp(found.log_weights)) == pytest.approx([0.2, 0.3, 0.5], abs=0.03)
    assert found.log_likelihood(unseen).mean() > fit_gaussian_mixture(rows, 1).log_likelihood(unseen).mean() + 0.5


def test_its_density_integrates_to_one() -> None:
    rows, _ = _three_clouds(np.random.default_rng(3), 500)
    found = fit_gaussian_mixture(rows, 4)
    x, y = np.linspace(-8, 18, 300), np.linspace(-8000, 18000, 300)
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    assert np.exp(found.log_likelihood(points)).sum() * (x[1] - x[0]) * (y[1] - y[0]) == pytest.approx(1, abs=1e-3)


def test_rows_that_are_all_but_the_same_do_not_break_it() -> None:
    rows = np.repeat([[0.0, 1.0], [1.0, 0.0], [5.0, 5.0]], 20, axis=0)
    found = fit_gaussian_mixture(rows, 5)
    assert np.isfinite(found.log_likelihood(rows)).all()
    assert (np.diff(found.history) > -1e-9).all()


def test_a_column_that_never_changes_is_refused_by_name() -> None:
    rows = np.column_stack([np.arange(30.0), np.ones(30)])
    with pytest.raises(ValueError, match=r"columns \[1\] never change"):
        fit_gaussian_mixture(rows, 2)
