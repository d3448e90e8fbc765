"""The likelihood of pixels is one, and the bounds are bounds."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sextant.families.vae.bounds import Bound, elbo, iwae
from sextant.families.vae.pixel_likelihood import log_likelihood, log_masses

EVERY_LEVEL = np.arange(256, dtype=np.uint8)


@given(mean=st.floats(-0.5, 1.5), log_scale=st.floats(np.log(1e-4), np.log(100)))
def test_the_256_levels_of_a_pixel_have_probability_1_in_all(mean: float, log_scale: float) -> None:
    masses = log_masses(EVERY_LEVEL, np.full((1, 256), mean), np.exp(log_scale))
    assert np.isfinite(masses).all()
    assert np.exp(masses).sum() == pytest.approx(1, abs=1e-9)


def test_each_mass_is_the_logistic_s_over_the_bin() -> None:
    mean, scale = 0.4, 0.07

    def below(edge: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-(edge - mean) / scale))

    edges = (np.arange(257) - 0.5) / 255
    cumulative = np.concatenate([[0], below(edges[1:-1]), [1]])
    masses = log_masses(EVERY_LEVEL, np.full((1, 256), mean), scale)
    np.testing.assert_allclose(np.exp(masses[0]), np.diff(cumulative), rtol=1e-9)


def test_in_the_tails_where_a_mass_is_0_in_floats_its_logarithm_falls_as_the_distance_over_the_scale() -> None:
    scale = 1e-4
    masses = log_masses(EVERY_LEVEL, np.zeros((1, 256)), scale)[0]
    assert np.exp(masses[200]) == 0
    np.testing.assert_allclose(np.diff(masses[1:255]), -1 / 255 / scale, rtol=1e-9)


def test_a_picture_s_likelihood_is_the_product_of_its_pixels_for_each_mean() -> None:
    rng = np.random.default_rng(1)
    levels, means = rng.integers(0, 256, 20).astype(np.uint8), rng.uniform(0, 1, (5, 20)).astype(np.float32)
    together = log_likelihood(levels, means, 0.1)
    for row, mean in zip(together, means, strict=True):
        singly = [log_masses(levels[i : i + 1], mean[None, i : i + 1], 0.1)[0, 0] for i in range(20)]
        assert row == pytest.approx(sum(singly), rel=1e-12)


# A model whose log p(x) is known: z ~ N(0, 1), x | z ~ N(z, S^2), so x ~ N(0, 1 + S^2); q(z | x) is off on purpose.
X, S, Q_MEAN, Q_DEVIATION = 1.7, 0.8, 0.7, 0.9
TRUTH = -0.5 * (np.log(2 * np.pi * (1 + S**2)) + X**2 / (1 + S**2))


def log_normal(x: np.ndarray, mean: np.ndarray | float, deviation: float) -> np.ndarray:
    return -0.5 * (np.log(2 * np.pi * deviation**2) + ((x - mean) / deviation) ** 2)


def log_weights(samples: int, seed: int, mean: float = Q_MEAN, deviation: float = Q_DEVIATION) -> np.ndarray:
    z = mean + deviation * np.random.default_rng(seed).normal(size=samples)
    return log_normal(np.float64(X), z, S) + log_normal(z, 0, 1) - log_normal(z, mean, deviation)


def repeated(bound: Callable[[np.ndarray], Bound], samples: int, times: int) -> list[Bound]:
    return [bound(log_weights(samples, seed)) for seed in range(times)]


def test_the_bound_rises_with_the_samples_and_stays_below_the_truth() -> None:
    means = [np.mean([bound.nats for bound in repeated(iwae, k, 3000)]) for k in (2, 8, 64)]
    below = [np.mean([bound.nats for bound in repeated(elbo, 16, 3000)]), *means]
    assert below == sorted(below)
    assert below[-1] < TRUTH
    assert TRUTH - below[-1] < 0.02
    assert TRUTH - below[0] > 0.1


def test_the_elbo_is_the_one_that_algebra_gives() -> None:
    fit = -0.5 * (np.log(2 * np.pi * S**2) + ((X - Q_MEAN) ** 2 + Q_DEVIATION**2) / S**2)
    divergence = 0.5 * (Q_MEAN**2 + Q_DEVIATION**2 - np.log(Q_DEVIATION**2) - 1)
    found = elbo(log_weights(100_000, 0))
    assert found.nats == pytest.approx(fit - divergence, abs=4 * found.standard_error_nats)


@pytest.mark.parametrize(("bound", "samples"), [(elbo, 16), (iwae, 256)])
def test_the_standard_error_is_how_much_repetitions_differ(bound: Callable[[np.ndarray], Bound], samples: int) -> None:
    bounds = repeated(bound, samples, 2000)
    spread = np.std([one.nats for one in bounds])
    assert np.mean([one.standard_error_nats for one in bounds]) == pytest.approx(spread, rel=0.1)


def test_with_the_true_posterior_both_bounds_are_the_truth_without_error() -> None:
    exact = log_weights(16, 0, mean=X / (1 + S**2), deviation=S / np.sqrt(1 + S**2))
    for bound in (elbo(exact), iwae(exact)):
        assert bound.nats == pytest.approx(TRUTH, rel=1e-12)
        assert bound.standard_error_nats == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("shift", [-1e6, 1e6])
def test_weights_beyond_what_floats_hold_are_averaged_all_the_same(shift: float) -> None:
    weights = log_weights(32, 0)
    moved = iwae(weights + shift)
    assert moved.nats - shift == pytest.approx(iwae(weights).nats, abs=1e-8)
    assert moved.standard_error_nats == pytest.approx(iwae(weights).standard_error_nats, rel=1e-8)
