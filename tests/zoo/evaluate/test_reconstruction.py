"""Errors, likeness and feature distance of pictures."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from sextant.zoo.evaluate.reconstruction import feature_distance, reconstruction, ssim

_PICTURES = np.random.default_rng(0).integers(256, size=(300, 14, 12, 3), dtype=np.uint8)


def test_the_same_pictures_are_alike_in_every_way() -> None:
    found = reconstruction(_PICTURES, _PICTURES)
    assert found.squared_error == 0
    assert found.psnr_db == math.inf
    assert found.ssim == pytest.approx(1)


def test_black_against_white_is_an_error_of_one_and_no_decibels() -> None:
    black, white = np.zeros((2, 16, 16, 1), np.uint8), np.full((2, 16, 16, 1), 255, np.uint8)
    found = reconstruction(black, white)
    assert found.squared_error == 1
    assert found.psnr_db == 0
    assert found.ssim == pytest.approx(0.01**2 / (1 + 0.01**2))  # brightness alone: nothing varies


def test_constant_pictures_alike_have_a_likeness_of_one() -> None:
    grey = np.full((1, 20, 20, 1), 77, np.uint8)
    assert ssim(grey, grey) == pytest.approx([1])


def test_likeness_agrees_with_the_formula_in_the_only_window_there_is() -> None:
    x, y = np.random.default_rng(1).integers(256, size=(2, 1, 11, 11, 1)).astype(np.uint8)
    offsets = np.arange(11) - 5
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    window /= window.sum()
    a, b = x[0, :, :, 0].astype(float), y[0, :, :, 0].astype(float)
    mean_a, mean_b = (window * a).sum(), (window * b).sum()
    var_a, var_b = (window * (a - mean_a) ** 2).sum(), (window * (b - mean_b) ** 2).sum()
    shared = (window * (a - mean_a) * (b - mean_b)).sum()
    c1, c2 = 6.5025, 58.5225
    expected = (2 * mean_a * mean_b + c1) * (2 * shared + c2)
    expected /= (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    assert ssim(x, y) == pytest.approx([expected])


def test_more_noise_is_less_alike() -> None:
    rng = np.random.default_rng(2)
    smooth = np.tile(np.linspace(20, 230, 28).astype(np.uint8)[:, None], (4, 1, 28)).reshape(4, 28, 28, 1)
    found = [
        reconstruction((smooth + rng.normal(0, noise, smooth.shape)).clip(0, 255).astype(np.uint8), smooth)
        for noise in (2, 10, 50)
    ]
    assert found[0].ssim > found[1].ssim > found[2].ssim
    assert found[0].psnr_db > found[1].psnr_db > found[2].psnr_db


def test_pictures_of_another_shape_or_too_small_are_refused() -> None:
    with pytest.raises(ValueError, match="alike"):
        reconstruction(_PICTURES, _PICTURES[:, :12])
    with pytest.raises(ValueError, match="at least 11"):
        ssim(_PICTURES[:, :10], _PICTURES[:, :10])


def test_feature_distance_is_nought_for_counterparts_and_one_for_strangers() -> None:
    def mean_colour(images: NDArray[np.uint8]) -> NDArray[np.float64]:
        colours: NDArray[np.float64] = images.mean((1, 2))
        return colours

    assert feature_distance(mean_colour, _PICTURES, _PICTURES).mean == 0
    assert feature_distance(mean_colour, _PICTURES[:150], _PICTURES[150:]).relative == pytest.approx(1, abs=0.1)


def test_feature_distance_is_euclidean() -> None:
    made = np.zeros((2, 11, 11, 1), np.uint8)
    true = np.zeros((2, 11, 11, 1), np.uint8)
    true[1] = 8
    found = feature_distance(lambda images: images[:, 0, 0].astype(float), made, true)
    assert found.mean == 4  # 0 and 8
    assert found.relative == 1  # strangers: 8 and 0
