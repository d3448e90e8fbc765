"""Diffusion: clothes of a class that is asked for, from noise, in as many steps as there is time for."""

from pathlib import Path

import torch
from torch import Tensor

from sextant.bundles.store import Bundle
from sextant.families.diffusion.export import export_unet
from sextant.families.diffusion.networks import UNet
from sextant.families.diffusion.prediction import Prediction
from sextant.families.diffusion.schedule import Schedule
from sextant.families.diffusion.train import DiffusionTraining
from sextant.families.provenance import Provenance
from sextant.zoo.data import fashion
from sextant.zoo.recipe import Recipe


def _fashion() -> tuple[Tensor, Tensor]:
    images, labels = fashion.load("train")
    return torch.from_numpy(images.copy()).permute(0, 3, 1, 2), torch.from_numpy(labels)


def _build() -> DiffusionTraining:
    network = UNet(1, 28, len(fashion.CLASSES), width=64)
    return DiffusionTraining(network, rate=1e-3, prediction=Prediction.V, schedule=Schedule.COSINE)


def _publish(training: DiffusionTraining, name: str, directory: Path) -> Bundle:
    network = training.average.module
    assert isinstance(network, UNet)
    return export_unet(
        network,
        directory,
        name,
        prediction=training.prediction,
        schedule=training.schedule,
        classes=fashion.CLASSES,
        provenance=Provenance("Clothes of a class, 28 x 28, grey, from noise (diffusion).", fashion.PROVENANCE),
        defaults={"sampler": "dpm-solver++2m", "steps": 20, "guidance": 1.5},
    )


RECIPES = (
    Recipe(
        name="fashion-diffusion",
        family="diffusion",
        summary="Diffusion on Fashion-MNIST: the best clothes of a class, in a few to a hundred steps.",
        data=_fashion,
        build=_build,
        publish=_publish,
        steps=7_000,
        batch=128,
        core_hours=0.8,
    ),
)
