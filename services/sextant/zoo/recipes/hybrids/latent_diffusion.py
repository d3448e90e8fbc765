"""The Stable Diffusion kind: faces from words, by diffusion in the latent space of a spatial VAE.

`faces-latent` comes first: the denoiser is trained on its codes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sextant.bundles.manifest import LatentSpace
from sextant.bundles.store import Bundle, BundleStore
from sextant.bundles.writer import write_bundle
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.families.diffusion.conditioned_config import ConditionedConfig, LatentPart
from sextant.families.diffusion.conditioned_networks import ConditionedUNet, Told
from sextant.families.diffusion.conditioned_train import ConditionedTraining
from sextant.families.provenance import Provenance
from sextant.families.vae.spatial_export import export_spatial_vae
from sextant.families.vae.spatial_networks import SpatialVae
from sextant.families.vae.spatial_train import SpatialTraining
from sextant.hybrids.latent_diffusion import latent_diffusion_graph
from sextant.zoo.data import captioned_faces
from sextant.zoo.data.captioned_faces import SENTENCE_MODEL, TOKEN_SPACE, TOKENS, WIDTH
from sextant.zoo.evaluate.served import Served
from sextant.zoo.recipe import Recipe
from sextant.zoo.recipes.hybrids.words import CONTEXT, FACES, PROCESS, SEED, publish_denoiser, told

HYBRID, VAE, DENOISER = "faces-latent-diffusion", "faces-latent", "faces-latent-denoiser"
_LATENT = (4, 8, 8)
_CODE = f"{VAE}/z"


def _pictures() -> tuple[Tensor]:
    images = captioned_faces.load(FACES, SEED).images
    return (torch.from_numpy(images).permute(0, 3, 1, 2),)


def _publish_vae(training: SpatialTraining, name: str, directory: Path) -> Bundle:
    provenance = Provenance("Pixel-art faces, 64 x 64, as maps of 8 x 8 x 4 and back.", captioned_faces.PROVENANCE)
    return export_spatial_vae(training.vae, directory, name, provenance=provenance)


def _codes_and_words() -> Sequence[Tensor]:
    """Codes float16[n, 4, 8, 8], the captions' states and lengths. Raises `ModelNotFound` where a stage is missing."""
    data = captioned_faces.load(FACES, SEED)
    vae = Served(BundleStore.default().open(VAE))
    codes = torch.from_numpy(vae.codes(data.images).astype(np.float16))
    said = captioned_faces.words(f"faces-{FACES}-{SEED}", data.captions)
    return codes, torch.from_numpy(said.states), torch.from_numpy(said.lengths)


def _read(batch: tuple[Tensor, ...]) -> tuple[Tensor, Mapping[str, Tensor]]:
    codes, states, lengths = batch
    return codes.float(), told(states, lengths)


def _build() -> ConditionedTraining:
    network = ConditionedUNet(_LATENT[0], _LATENT[1], Told((TOKENS, WIDTH)), width=64)
    return ConditionedTraining(network, _read, rate=1e-3)


def _publish(training: ConditionedTraining, name: str, directory: Path) -> Bundle:
    """The denoiser, and beside it the hybrid."""
    config = ConditionedConfig(**PROCESS, latent=LatentPart(space=_CODE, shape=_LATENT), context=CONTEXT)
    about = "Codes of faces from words; a stage of faces-latent-diffusion."
    defaults = {"sampler": "dpm-solver++2m", "steps": 20, "guidance": 3.0, "clip": False}
    bundle = publish_denoiser(training, name, directory, config, about, defaults)
    write_bundle(
        directory,
        {},
        name=HYBRID,
        family="hybrid",
        architecture="latent-diffusion",
        tasks=(TaskKind.GENERATE, TaskKind.TRANSFORM),
        inputs=(Modality.TEXT, Modality.IMAGE),
        outputs=(Modality.IMAGE,),
        latent_spaces=(LatentSpace(id=_CODE, shape=_LATENT),),
        deterministic=True,
        graph=latent_diffusion_graph(SENTENCE_MODEL, name, VAE, _CODE, TOKEN_SPACE, empty_prompt=False),
        **Provenance("Pixel-art faces, 64 x 64, from words (latent diffusion).", captioned_faces.PROVENANCE).fields(),
    )
    return bundle


RECIPES = (
    Recipe(
        name=VAE,
        family="vae",
        summary="Spatial VAE of faces: the latent space in which faces are made from words.",
        data=_pictures,
        build=lambda: SpatialTraining(SpatialVae(64, 3, _LATENT[0], width=24, downs=3)),
        publish=_publish_vae,
        steps=2_500,
        batch=32,
        core_hours=0.38,
    ),
    Recipe(
        name=DENOISER,
        family="diffusion",
        summary="Latent diffusion: faces from words, the Stable Diffusion kind.",
        data=_codes_and_words,
        build=_build,
        publish=_publish,
        steps=7_000,
        batch=64,
        core_hours=0.73,
    ),
)
