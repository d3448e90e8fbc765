"""The VQ-GAN kind (Esser et al. 2021): faces as codes, and a transformer that knows which codes go together."""

from pathlib import Path

import torch
from torch import Tensor

from sextant.bundles.store import Bundle
from sextant.families.gan.vq_export import export_vq
from sextant.families.gan.vq_networks import VqGan
from sextant.families.gan.vq_train import VqGanTraining
from sextant.families.provenance import Provenance
from sextant.zoo.data import captioned_faces
from sextant.zoo.recipe import Recipe
from sextant.zoo.recipes.hybrids.words import FACES, SEED

VQ = "faces-vq"
_COMPARED = 256  # faces whose codes must be the same in ONNX Runtime as in torch


def _pictures() -> tuple[Tensor]:
    images = captioned_faces.load(FACES, SEED).images
    return (torch.from_numpy(images).permute(0, 3, 1, 2),)


def _publish_vq(training: VqGanTraining, name: str, directory: Path) -> Bundle:
    provenance = Provenance("Pixel-art faces, 64 x 64, as 8 x 8 codes of 256 and back.", captioned_faces.PROVENANCE)
    examples = _pictures()[0][:_COMPARED].float() / 255
    return export_vq(training.model, examples, directory, name, provenance=provenance)


RECIPES = (
    Recipe(
        name=VQ,
        family="gan",
        summary="VQ-GAN of faces: the codes of which transformers make faces.",
        data=_pictures,
        build=lambda: VqGanTraining(VqGan(64, 3)),
        publish=_publish_vq,
        steps=3_000,
        batch=32,
    ),
)
