"""What models' pictures are compared with: real pictures, and what 0 and 1 mean on the scale of quality."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sextant.zoo.data import faces, fashion
from sextant.zoo.evaluate.features import FeatureNet, features
from sextant.zoo.evaluate.frechet import frechet_distance, real_distance
from sextant.zoo.evaluate.judges import FACES_TRAINED_ON, faces_judge, fashion_judge
from sextant.zoo.evaluate.pixel_gaussian import PixelGaussian, fit_pixel_gaussian

SAMPLES = 5_000
SEED = 1


@dataclass(frozen=True)
class Reference:
    """Real pictures that a model's are compared with: their features, and what 0 and 1 mean on the scale."""

    judge: FeatureNet
    features: NDArray[np.float32]
    fd_real: float
    fd_gauss: float
    fd_gauss_diagonal: float


@cache
def fashion_reference() -> Reference:
    """Half of the test set; Gaussians fitted to the training set class by class."""
    judge = fashion_judge()
    images, labels = fashion.load("test")
    half = np.random.default_rng(SEED).permutation(len(images))[:SAMPLES]
    return _reference(judge, features(judge, images), half, fit_pixel_gaussian(*fashion.load("train")), labels[half])


@cache
def faces_reference() -> Reference:
    """Faces drawn anew; one Gaussian fitted to those of the training set."""
    judge = faces_judge()
    drawn = faces.load(2 * SAMPLES, 64, SEED)
    trained_on = faces.load(FACES_TRAINED_ON, 64, 0).images[:SAMPLES]
    gaussian = fit_pixel_gaussian(trained_on)
    half = np.arange(SAMPLES)
    return _reference(judge, features(judge, drawn.images), half, gaussian, np.zeros(SAMPLES, np.int64))


def _reference(
    judge: FeatureNet,
    seen: NDArray[np.float32],
    half: NDArray[np.int64],
    gaussian: PixelGaussian,
    labels: NDArray[np.int64],
) -> Reference:
    real = seen[half]
    full, diagonal = (
        frechet_distance(features(judge, gaussian.sample(labels, SEED, diagonal=only)), real) for only in (False, True)
    )
    return Reference(judge, real, real_distance(seen, SAMPLES, SEED), full, diagonal)
