"""The quality and diversity of what models of pictures make; what GANs are judged by."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sextant.zoo.data import fashion
from sextant.zoo.evaluate import sheets
from sextant.zoo.evaluate.conditional import conditional_accuracy
from sextant.zoo.evaluate.features import accuracy, features, predict
from sextant.zoo.evaluate.figures import Figures
from sextant.zoo.evaluate.frechet import frechet_distance, normalised_quality
from sextant.zoo.evaluate.latency import add_latency
from sextant.zoo.evaluate.precision_recall import precision_recall
from sextant.zoo.evaluate.references import SAMPLES, SEED, Reference, faces_reference, fashion_reference
from sextant.zoo.evaluate.served import Served

_SHEET = 40  # pictures on a sheet


def pictures(served: Served, figures: Figures, sheet: Path, reference: Reference) -> NDArray[np.uint8]:
    """Quality and diversity of what the model makes; the sheet."""
    classes = list(served.manifest.network.get("classes", ()))
    made = served.pictures(SAMPLES, SEED, classes or None)
    seen = features(reference.judge, made)
    fd = frechet_distance(seen, reference.features)
    on = f"{SAMPLES} pictures, features of a classifier trained on the data set"
    figures.add("frechet_distance", fd, "1", on)
    figures.add("frechet_distance_real", reference.fd_real, "1", f"two halves of real data, {SAMPLES} each")
    figures.add(
        "frechet_distance_gauss", reference.fd_gauss, "1", "a Gaussian over pixels for each class, full covariance"
    )
    figures.add(
        "frechet_distance_gauss_diagonal",
        reference.fd_gauss_diagonal,
        "1",
        "a Gaussian for each class and pixel, pixels independent",
    )
    for name, worst, which in (
        ("quality", reference.fd_gauss_diagonal, "pixels independent"),
        ("quality_full_covariance", reference.fd_gauss, "full covariance"),
    ):
        value = normalised_quality(fd, reference.fd_real, worst)
        figures.add(name, value, "1", f"1 - (FD - FD_real) / (FD_gauss - FD_real); FD_gauss with {which}")
    found = precision_recall(reference.features, seen)
    figures.add("precision", found.precision, "1", f"{on}; Kynkäänniemi et al. 2019, k = 3")
    figures.add("recall", found.recall, "1", f"{on}; Kynkäänniemi et al. 2019, k = 3")
    figures.add("coverage", found.coverage, "1", f"{on}; Naeem et al. 2020, k = 5")
    if classes:
        asked = np.arange(SAMPLES) % len(classes)
        told = conditional_accuracy(asked, predict(reference.judge, made))
        images, labels = fashion.load("test")
        on = f"{SAMPLES} pictures, classifier of {accuracy(reference.judge, images, labels):.1%} on real test pictures"
        figures.add("conditional_accuracy", told.overall, "1", on)
    add_latency(served, figures)
    sheets.grid(made[:_SHEET], 10, scale=2 if made.shape[1] < 64 else 1).save(sheet, optimize=True)
    return made


def fashion_gan(served: Served, figures: Figures, sheet: Path) -> None:
    """A GAN on Fashion-MNIST."""
    pictures(served, figures, sheet, fashion_reference())


def faces_gan(served: Served, figures: Figures, sheet: Path) -> None:
    """A GAN on rendered faces."""
    pictures(served, figures, sheet, faces_reference())
