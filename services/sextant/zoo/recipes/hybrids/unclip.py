"""The DALL-E 2 kind (Ramesh et al. 2022): words to where a picture of them lies, and from there to a picture.

In this order: `faces-clip`, an image tower to the frozen sentence encoder; `faces-prior`, from captions' vectors to
pictures' vectors; `faces-unclip-denoiser`, from pictures' vectors to codes of the spatial VAE of `latent_diffusion`.
A picture's own vector gives variations of it, and the tower ranks what any other model makes of words.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sextant.bundles.manifest import LatentSpace
from sextant.bundles.store import Bundle, BundleStore
from sextant.bundles.writer import write_bundle
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.families.diffusion.conditioned_config import ConditionedConfig, LatentPart, VectorPart
from sextant.families.diffusion.conditioned_networks import ConditionedUNet, Told, VectorDenoiser
from sextant.families.diffusion.conditioned_train import ConditionedTraining
from sextant.families.provenance import Provenance
from sextant.families.transformer.tower_export import export_tower
from sextant.families.transformer.tower_networks import Tower
from sextant.families.transformer.tower_train import TowerTraining
from sextant.hybrids.latent_diffusion import latent_diffusion_graph
from sextant.zoo.data import captioned_faces
from sextant.zoo.data.captioned_faces import SENTENCE_MODEL, SENTENCE_SPACE, TOKEN_SPACE, WIDTH
from sextant.zoo.evaluate.served import Served
from sextant.zoo.recipe import Recipe
from sextant.zoo.recipes.hybrids import latent_diffusion
from sextant.zoo.recipes.hybrids.words import FACES, PROCESS, SEED, publish_denoiser

HYBRID, RANKED = "faces-unclip", "faces-ranked"
TOWER, PRIOR, DENOISER = "faces-clip", "faces-prior", "faces-unclip-denoiser"
_LATENT, _CODE = (4, 8, 8), f"{latent_diffusion.VAE}/z"
# Unit vectors of so many numbers are small numbers; the prior works at about unit scale.
_SCALE = float(np.sqrt(WIDTH))
_VECTOR = VectorPart(space=SENTENCE_SPACE, width=WIDTH)
_DEFAULTS = {"sampler": "dpm-solver++2m", "clip": False, "steps": 20, "guidance": 2.0}


def _pictures_and_sentences() -> Sequence[Tensor]:
    data = captioned_faces.load(FACES, SEED)
    sentences = captioned_faces.sentences(f"faces-{FACES}-{SEED}", data.captions)
    return torch.from_numpy(data.images).permute(0, 3, 1, 2), torch.from_numpy(sentences)


def _publish_tower(training: TowerTraining, name: str, directory: Path) -> Bundle:
    """The tower, and beside it the hybrid that ranks with it."""
    about = "Pixel-art faces, 64 x 64, to where all-MiniLM-L6-v2 has their captions."
    provenance = Provenance(about, captioned_faces.PROVENANCE)
    bundle = export_tower(training.tower, directory, name, SENTENCE_SPACE, provenance=provenance)
    _write_graph(directory, RANKED, "ranked-latent-diffusion", {"generate": ranked_graph(name)}, "the best of eight")
    return bundle


def _vectors_and_sentences() -> Sequence[Tensor]:
    """Pictures' vectors at the prior's scale, and captions', float32[n, WIDTH]. Raises `ModelNotFound`."""
    data = captioned_faces.load(FACES, SEED)
    vectors = Served(BundleStore.default().open(TOWER)).codes(data.images)
    sentences = captioned_faces.sentences(f"faces-{FACES}-{SEED}", data.captions)
    return torch.from_numpy(vectors * _SCALE), torch.from_numpy(sentences)


def _codes_and_vectors() -> Sequence[Tensor]:
    """Codes float16[n, 4, 8, 8] of the spatial VAE, and pictures' vectors. Raises `ModelNotFound`."""
    data, store = captioned_faces.load(FACES, SEED), BundleStore.default()
    codes = Served(store.open(latent_diffusion.VAE)).codes(data.images)
    vectors = Served(store.open(TOWER)).codes(data.images)
    return torch.from_numpy(codes.astype(np.float16)), torch.from_numpy(vectors)


def _read(batch: tuple[Tensor, ...]) -> tuple[Tensor, Mapping[str, Tensor]]:
    return batch[0].float(), {"vector": batch[1].float()}


def _build_prior() -> ConditionedTraining:
    return ConditionedTraining(VectorDenoiser(WIDTH, Told(vector=WIDTH), width=320, blocks=3), _read, rate=1e-3)


def _build_denoiser() -> ConditionedTraining:
    return ConditionedTraining(ConditionedUNet(4, 8, Told(vector=WIDTH), width=64), _read, rate=1e-3)


def _publish_prior(training: ConditionedTraining, name: str, directory: Path) -> Bundle:
    latent = LatentPart(space=SENTENCE_SPACE, shape=(WIDTH,), scale=_SCALE)
    config = ConditionedConfig(**PROCESS, latent=latent, vector=_VECTOR)
    about = "Where a picture of words lies, from where the words lie; a stage of faces-unclip."
    return publish_denoiser(training, name, directory, config, about, _DEFAULTS)


def _publish_denoiser(training: ConditionedTraining, name: str, directory: Path) -> Bundle:
    """The denoiser, and beside it the hybrid."""
    config = ConditionedConfig(**PROCESS, latent=LatentPart(space=_CODE, shape=_LATENT), vector=_VECTOR)
    about = "Codes of faces from where pictures lie; a stage of faces-unclip."
    bundle = publish_denoiser(training, name, directory, config, about, _DEFAULTS)
    _write_graph(directory, HYBRID, "unclip", unclip_graph(name), "from words, or like a given one")
    return bundle


def unclip_graph(denoiser: str) -> dict[str, Any]:
    """Words, or a picture to vary, to a picture; by the name of the last denoiser."""
    shown = {"answer": "paint", "stream": "denoise", "preview": "paint"}
    painting = {
        "denoise": {"model": denoiser, "task": "generate"},
        "paint": {"model": latent_diffusion.VAE, "task": "decode"},
    }
    to_paint = {"from": "denoise", "to": "paint.source", "space": _CODE}
    return {
        "generate": {
            **shown,
            "stages": {
                "read": {"model": SENTENCE_MODEL, "task": "encode"},
                "imagine": {"model": PRIOR, "task": "generate"},
                **painting,
            },
            "edges": [
                {"from": "request.prompt", "to": "read.source"},
                {"from": "read", "to": "imagine.conditions", "space": SENTENCE_SPACE},
                {"from": "imagine", "to": "denoise.conditions", "space": SENTENCE_SPACE},
                to_paint,
            ],
        },
        "transform": {
            **shown,
            "stages": {"look": {"model": TOWER, "task": "encode"}, **painting},
            "edges": [
                {"from": "request.source", "to": "look.source", "media": "image"},
                {"from": "look", "to": "denoise.conditions", "space": SENTENCE_SPACE},
                to_paint,
            ],
        },
    }


def ranked_graph(tower: str) -> dict[str, Any]:
    """Latent diffusion eight times over, of which the picture that lies nearest to the words is the answer."""
    graph = latent_diffusion_graph(
        SENTENCE_MODEL, latent_diffusion.DENOISER, latent_diffusion.VAE, _CODE, TOKEN_SPACE, empty_prompt=False
    )["generate"]
    return {
        **graph,
        "choose": {"candidates": 8, "by": ["look", "compare"]},
        "stages": {
            **graph["stages"],
            "look": {"model": tower, "task": "encode"},
            "compare": {"model": SENTENCE_MODEL, "task": "encode"},
        },
        "edges": [
            *graph["edges"],
            {"from": "paint", "to": "look.source", "media": "image"},
            {"from": "request.prompt", "to": "compare.source"},
        ],
    }


def _write_graph(directory: Path, name: str, architecture: str, graph: dict[str, Any], what: str) -> None:
    tasks = tuple(TaskKind(task) for task in graph)
    write_bundle(
        directory,
        {},
        name=name,
        family="hybrid",
        architecture=architecture,
        tasks=tasks,
        inputs=(Modality.TEXT, Modality.IMAGE) if TaskKind.TRANSFORM in tasks else (Modality.TEXT,),
        outputs=(Modality.IMAGE,),
        latent_spaces=(LatentSpace(id=_CODE, shape=_LATENT),),
        deterministic=True,
        graph=graph,
        **Provenance(f"Pixel-art faces, 64 x 64, {what}.", captioned_faces.PROVENANCE).fields(),
    )


RECIPES = (
    Recipe(
        name=TOWER,
        family="transformer",
        summary="CLIP of faces: an image tower to the frozen sentence encoder.",
        data=_pictures_and_sentences,
        build=lambda: TowerTraining(Tower(64, 3, WIDTH)),
        publish=_publish_tower,
        steps=1_000,
        batch=128,
        core_hours=0.35,
    ),
    Recipe(
        name=PRIOR,
        family="diffusion",
        summary="Diffusion prior: from captions' vectors to pictures' vectors.",
        data=_vectors_and_sentences,
        build=_build_prior,
        publish=_publish_prior,
        steps=10_000,
        batch=128,
        core_hours=0.16,
    ),
    Recipe(
        name=DENOISER,
        family="diffusion",
        summary="Latent diffusion from pictures' vectors: the decoder of the DALL-E 2 kind.",
        data=_codes_and_vectors,
        build=_build_denoiser,
        publish=_publish_denoiser,
        steps=5_000,
        batch=64,
        core_hours=0.50,
    ),
)
