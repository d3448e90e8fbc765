"""VAEs: plain and conditional on Fashion-MNIST, plain and beta on rendered faces with known factors."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from sextant.bundles.store import Bundle
from sextant.families.provenance import Provenance
from sextant.families.vae.export import export_vae
from sextant.families.vae.networks import Vae
from sextant.families.vae.train import VaeTraining
from sextant.zoo.data import faces, fashion
from sextant.zoo.recipe import Recipe

FACTOR_FACES = 20_000
BETA = 100.0


def _fashion() -> tuple[Tensor, Tensor]:
    images, labels = fashion.load("train")
    return torch.from_numpy(images.copy()).permute(0, 3, 1, 2), torch.from_numpy(labels)


def _factors() -> tuple[Tensor]:
    drawn = faces.load(FACTOR_FACES, 32, 0, faces.FACTORS)
    return (torch.from_numpy(drawn.images).permute(0, 3, 1, 2),)


def _publisher(
    architecture: str, classes: Sequence[str], provenance: Provenance, temperature: float = 1.0
) -> Callable[..., Bundle]:
    def publish(training: VaeTraining, name: str, directory: Path) -> Bundle:
        return export_vae(
            training.vae,
            directory,
            name,
            architecture=architecture,
            classes=classes,
            provenance=provenance,
            temperature=temperature,
        )

    return publish


RECIPES = (
    Recipe(
        name="fashion-vae",
        family="vae",
        summary="VAE on Fashion-MNIST: smooth paths between clothes, a code of 16 numbers.",
        data=lambda: _fashion()[:1],
        build=lambda: VaeTraining(Vae(16, 28, 1, 0, 32)),
        publish=_publisher(
            "vae", (), Provenance("Clothes, 28 x 28, grey, with a smooth code of 16 numbers (VAE).", fashion.PROVENANCE)
        ),
        steps=5_000,
        batch=64,
        core_hours=0.31,
    ),
    Recipe(
        name="fashion-cvae",
        family="vae",
        summary="Conditional VAE on Fashion-MNIST: clothes of a class that is asked for.",
        data=_fashion,
        build=lambda: VaeTraining(Vae(16, 28, 1, len(fashion.CLASSES), 32)),
        publish=_publisher(
            "cvae",
            fashion.CLASSES,
            Provenance(
                "Clothes of a class, 28 x 28, grey, with a code of 16 numbers (conditional VAE).", fashion.PROVENANCE
            ),
            temperature=0.5,  # at 1 a fifth more are taken for another class
        ),
        steps=3_500,
        batch=64,
        core_hours=0.2,
    ),
    Recipe(
        name="faces-vae",
        family="vae",
        summary="VAE on rendered faces with known factors: what the beta-VAE is compared with.",
        data=_factors,
        build=lambda: VaeTraining(Vae(10, 32, 3, 0, 32)),
        publish=_publisher(
            "vae", (), Provenance("Pixel-art faces, 32 x 32, with a code of 10 numbers (VAE).", faces.PROVENANCE)
        ),
        steps=1_800,
        batch=64,
        core_hours=0.26,
    ),
    Recipe(
        name="faces-beta-vae",
        family="vae",
        summary="Beta-VAE on rendered faces: latent axes that can be read, each moving one thing.",
        data=_factors,
        build=lambda: VaeTraining(Vae(10, 32, 3, 0, 32), beta=BETA),
        publish=_publisher(
            "beta-vae",
            (),
            Provenance(
                "Pixel-art faces, 32 x 32, with a code of 10 numbers that can be read (beta-VAE).", faces.PROVENANCE
            ),
        ),
        steps=1_800,
        batch=64,
        core_hours=0.2,
    ),
)
