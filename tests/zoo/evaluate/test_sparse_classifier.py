"""The sparse classifier finds the optimum of its objective, and only the inputs that matter."""

import numpy as np

from sextant.zoo.evaluate.sparse_classifier import accuracy_of, fit_sparse_classifier


def test_it_ends_where_no_weight_can_gain() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 5))
    y = (x[:, 1] + 0.3 * rng.standard_normal(400) > 0.2).astype(np.int64)
    penalty = 0.02
    found = fit_sparse_classifier(x, y, 2, penalty)
    scores = x @ found.weights + found.bias
    chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    slope = x.T @ (chances - np.eye(2)[y]) / len(x)
    # The condition of optimality: the slope is the penalty against the weight's sign, or within it at weight 0.
    at_zero = found.weights == 0
    assert at_zero.any()
    assert (np.abs(slope[at_zero]) <= penalty + 1e-4).all()
    np.testing.assert_allclose(slope[~at_zero], -penalty * np.sign(found.weights[~at_zero]), atol=1e-4)


def test_inputs_without_meaning_get_no_weight() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((1000, 6))
    y = np.digitize(x[:, 4], [-0.5, 0.5])
    found = fit_sparse_classifier(x, y, 3, 0.02)
    assert accuracy_of(found, x, y) > 0.9
    strength = np.abs(found.weights).sum(1)
    assert strength[4] > 20 * np.delete(strength, 4).max()
