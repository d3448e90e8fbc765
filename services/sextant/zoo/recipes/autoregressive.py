"""Autoregressive models: a PixelCNN of clothes, a WaveNet of spoken digits."""

from pathlib import Path

import torch
from torch import Tensor

from sextant.bundles.store import Bundle
from sextant.families.autoregressive.pixel_export import export_pixelcnn
from sextant.families.autoregressive.pixel_networks import PixelCnn
from sextant.families.autoregressive.pixel_train import PixelCnnTraining
from sextant.families.autoregressive.wave_export import export_wavenet
from sextant.families.autoregressive.wave_networks import WaveNet
from sextant.families.autoregressive.wave_train import WaveNetTraining
from sextant.families.provenance import Provenance
from sextant.zoo.data import digits, fashion
from sextant.zoo.recipe import Recipe

DIGITS = 3_000


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


def _digits() -> tuple[Tensor, Tensor, Tensor]:
    said = digits.spoken(DIGITS, seed=0)
    return torch.from_numpy(said.levels), torch.from_numpy(said.label), torch.from_numpy(said.voice)


def _publish_digits(training: WaveNetTraining, name: str, directory: Path) -> Bundle:
    network = training.average.module
    assert isinstance(network, WaveNet)
    return export_wavenet(
        network,
        directory,
        name,
        classes=digits.CLASSES,
        voices=digits.VOICES,
        sample_rate_hz=digits.RATE_HZ,
        most_samples=digits.SAMPLES,
        provenance=Provenance("Spoken digits, 8 kHz, in three voices, sample by sample (WaveNet).", digits.PROVENANCE),
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
    Recipe(
        name="digits-wavenet",
        family="autoregressive",
        summary="WaveNet on spoken digits, 8 kHz: a digit in one of three voices, sample by sample.",
        data=_digits,
        build=lambda: WaveNetTraining(WaveNet(len(digits.CLASSES), len(digits.VOICES)), rate=2e-3),
        publish=_publish_digits,
        steps=6_000,
        batch=4,
        core_hours=1.9,
    ),
)
