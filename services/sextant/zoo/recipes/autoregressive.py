"""Autoregressive models: a PixelCNN of clothes."""

from pathlib import Path

import torch
from torch import Tensor

from sextant.bundles.store import Bundle
from sextant.families.autoregressive.pixel_export import export_pixelcnn
from sextant.families.autoregressive.pixel_networks import PixelCnn
from sextant.families.autoregressive.pixel_train import PixelCnnTraining
from sextant.families.provenance import Provenance
from sextant.zoo.data import fashion
from sextant.zoo.recipe import Recipe


def _fashion() -> tuple[Tensor, Tensor]:
    images, labels = fashion.load("train")
    return torch.from_numpy(images.copy()).permute(0, 3, 1, 2), torch.from_numpy(labels)


def _publish(training: PixelCnnTraining, name: str, directory: Path) -> Bundle:
    network = training.average.module
    assert isinstance(network, PixelCnn)
    return export_pixelcnn(
        network,
        directory,
        name,
        classes=fashion.CLASSES,
        provenance=Provenance("Clothes of a class, 28 x 28, grey, pixel by pixel (PixelCNN).", fashion.PROVENANCE),
    )


RECIPES = (
    Recipe(
        name="fashion-pixelcnn",
        family="autoregressive",
        summary="Gated PixelCNN on Fashion-MNIST: exact likelihoods, and pictures completed from their upper half.",
        data=_fashion,
        build=lambda: PixelCnnTraining(PixelCnn(28, len(fashion.CLASSES)), rate=2e-3),
        publish=_publish,
        steps=4_000,
        batch=32,
        core_hours=0.6,
    ),
)
