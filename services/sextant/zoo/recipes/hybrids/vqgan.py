"""The VQ-GAN kind (Esser et al. 2021): faces as codes, and a transformer that knows which codes go together.

`faces-vq` comes first: the transformers, of this kind and of `parti`, are trained on its codes.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sextant.bundles.manifest import LatentSpace
from sextant.bundles.store import Bundle, BundleStore
from sextant.bundles.writer import write_bundle
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.families.gan.vq_export import export_vq
from sextant.families.gan.vq_networks import VqGan
from sextant.families.gan.vq_train import VqGanTraining
from sextant.families.provenance import Provenance
from sextant.families.transformer.codes_export import export_codes
from sextant.families.transformer.codes_networks import CodeTransformer
from sextant.families.transformer.codes_train import CodeTraining
from sextant.zoo.data import captioned_faces
from sextant.zoo.data.location import zoo_directory
from sextant.zoo.evaluate.served import Served
from sextant.zoo.recipe import Recipe
from sextant.zoo.recipes.hybrids.words import FACES, SEED

HYBRID, VQ, TRANSFORMER = "faces-vqgan", "faces-vq", "faces-vq-transformer"
CODE, PLACES, CODES = f"{VQ}/codes", (8, 8), 256
_COMPARED = 256  # faces whose codes must be the same in ONNX Runtime as in torch


def _pictures() -> tuple[Tensor]:
    images = captioned_faces.load(FACES, SEED).images
    return (torch.from_numpy(images).permute(0, 3, 1, 2),)


def _publish_vq(training: VqGanTraining, name: str, directory: Path) -> Bundle:
    provenance = Provenance("Pixel-art faces, 64 x 64, as 8 x 8 codes of 256 and back.", captioned_faces.PROVENANCE)
    examples = _pictures()[0][:_COMPARED].float() / 255
    return export_vq(training.model, examples, directory, name, provenance=provenance)


def codes_of_faces() -> Tensor:
    """The training faces' codes uint8[n, 64], kept on disk for this very `faces-vq`. Raises `ModelNotFound`."""
    bundle = BundleStore.default().open(VQ)
    kept = zoo_directory() / f"codes-{FACES}-{SEED}-{bundle.digest[:16]}.npy"
    if not kept.exists():
        found = Served(bundle).codes(captioned_faces.load(FACES, SEED).images)
        partial = kept.with_suffix(".part.npy")
        np.save(partial, found.reshape(len(found), -1).astype(np.uint8))
        partial.rename(kept)
    codes: NDArray[np.uint8] = np.load(kept)
    return torch.from_numpy(codes)


def _publish(training: CodeTraining, name: str, directory: Path) -> Bundle:
    """The transformer, and beside it the hybrid."""
    bundle = publish_transformer(training, name, directory, "Codes of faces, in whole or in part; a stage of", HYBRID)
    about = "Pixel-art faces, 64 x 64, drawn code by code, and completed where a part is kept."
    write_code_graph(directory, HYBRID, "vqgan", vqgan_graph(name), about)
    return bundle


def publish_transformer(
    training: CodeTraining, name: str, directory: Path, about: str, hybrid: str, words: str = "", **defaults: float
) -> Bundle:
    """The bundle of the average of what was trained."""
    network = training.average.module
    assert isinstance(network, CodeTransformer)
    provenance = Provenance(f"{about} {hybrid}.", captioned_faces.PROVENANCE)
    return export_codes(network, directory, name, CODE, provenance=provenance, words=words, defaults=defaults)


def write_code_graph(directory: Path, name: str, architecture: str, graph: dict[str, Any], about: str) -> None:
    """The bundle of a hybrid that makes faces of codes."""
    reads_words = any(edge["from"] == "request.prompt" for task in graph.values() for edge in task["edges"])
    write_bundle(
        directory,
        {},
        name=name,
        family="hybrid",
        architecture=architecture,
        tasks=tuple(TaskKind(task) for task in graph),
        inputs=(*((Modality.TEXT,) if reads_words else ()), Modality.IMAGE),
        outputs=(Modality.IMAGE,),
        latent_spaces=(LatentSpace(id=CODE, shape=PLACES),),
        deterministic=True,
        graph=graph,
        **Provenance(about, captioned_faces.PROVENANCE).fields(),
    )


def vqgan_graph(transformer: str) -> dict[str, Any]:
    """Faces of nothing, and of a part that is kept, by the name of the transformer that composes their codes."""
    shown = {"answer": "paint", "stream": "compose", "preview": "paint"}
    paint = {"model": VQ, "task": "decode"}
    to_paint = {"from": "compose", "to": "paint.source", "space": CODE}
    return {
        "generate": {
            **shown,
            "stages": {"compose": {"model": transformer, "task": "generate"}, "paint": paint},
            "edges": [to_paint],
        },
        "transform": {
            **shown,
            "stages": {
                "look": {"model": VQ, "task": "encode"},
                "compose": {"model": transformer, "task": "transform"},
                "paint": paint,
            },
            "edges": [
                {"from": "request.source", "to": "look.source", "media": "image"},
                {"from": "look", "to": "compose.source", "space": CODE},
                {"from": "request.mask", "to": "compose.mask"},
                to_paint,
            ],
        },
    }


RECIPES = (
    Recipe(
        name=VQ,
        family="gan",
        summary="VQ-GAN of faces: the codes of which transformers make faces.",
        data=_pictures,
        build=lambda: VqGanTraining(VqGan(64, 3, codes=CODES)),
        publish=_publish_vq,
        steps=3_000,
        batch=32,
        core_hours=0.42,
    ),
    Recipe(
        name=TRANSFORMER,
        family="transformer",
        summary="Transformer over codes of faces: the VQ-GAN kind.",
        data=lambda: (codes_of_faces(),),
        build=lambda: CodeTraining(CodeTransformer(CODES, PLACES)),
        publish=_publish,
        steps=2_500,
        batch=32,
        core_hours=0.49,
    ),
)
