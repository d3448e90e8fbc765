"""Conditioned denoising networks small enough to export in a test, untrained."""

from pathlib import Path
from typing import Any

import torch

from sextant.bundles.store import Bundle
from sextant.families.diffusion.conditioned_config import (
    ConditionedConfig,
    ContextPart,
    LatentPart,
    PicturePart,
    VectorPart,
)
from sextant.families.diffusion.conditioned_export import export_conditioned
from sextant.families.diffusion.conditioned_networks import ConditionedUNet, Told, VectorDenoiser
from sextant.families.diffusion.prediction import Prediction
from sextant.families.diffusion.schedule import Schedule
from sextant.families.provenance import Provenance

CODE, WORDS, WHOLE = "tiny-vae/z", "tiny-words/tokens", "tiny-words/sentence"
TOKENS, WIDTH, SIZE = 5, 6, 8
_PROCESS: dict[str, Any] = {"prediction": Prediction.V, "schedule": Schedule.COSINE, "train_steps": 1000}


def shaken(network: torch.nn.Module) -> torch.nn.Module:
    """Layers that start at zero would hide what they do."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network


def latent_bundle(directory: Path) -> Bundle:
    """Latents [4, 8, 8] under a sequence and a vector."""
    torch.manual_seed(0)
    network = shaken(ConditionedUNet(4, SIZE, Told((TOKENS, WIDTH), WIDTH), width=16))
    config = ConditionedConfig(
        **_PROCESS,
        latent=LatentPart(space=CODE, shape=(4, SIZE, SIZE), scale=0.5, shift=0.25),
        context=ContextPart(space=WORDS, tokens=TOKENS, width=WIDTH, masked=True),
        vector=VectorPart(space=WHOLE, width=WIDTH),
    )
    return _export(network, directory, "tiny-latent", config, clip=False, guidance=2.0)


def enlarging_bundle(directory: Path) -> Bundle:
    """Pictures of 8 x 8 beside their own of 4 x 4."""
    torch.manual_seed(1)
    network = shaken(ConditionedUNet(3, SIZE, Told(given=True), width=16, patch=2))
    small = PicturePart(height=4, width=4, channels=3)
    config = ConditionedConfig(**_PROCESS, height=SIZE, width=SIZE, channels=3, given=small)
    return _export(network, directory, "tiny-enlarger", config)


def prior_bundle(directory: Path) -> Bundle:
    """Vectors of the space of sentences out of vectors of the same."""
    torch.manual_seed(2)
    network = shaken(VectorDenoiser(WIDTH, Told(vector=WIDTH), width=32, blocks=2))
    config = ConditionedConfig(
        **_PROCESS, latent=LatentPart(space=WHOLE, shape=(WIDTH,)), vector=VectorPart(space=WHOLE, width=WIDTH)
    )
    return _export(network, directory, "tiny-prior", config, clip=False)


def _export(network: Any, directory: Path, name: str, config: ConditionedConfig, **defaults: Any) -> Bundle:
    return export_conditioned(
        network,
        directory,
        name,
        config,
        provenance=Provenance("Nothing.", "Untrained."),
        defaults={"sampler": "ddim", "steps": 4, **defaults},
    )
