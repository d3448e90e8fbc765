"""What denoisers that read captions share: how a batch says what it is of, and how they are published."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sextant.bundles.store import Bundle
from sextant.families.diffusion.conditioned_config import ConditionedConfig, ContextPart
from sextant.families.diffusion.conditioned_export import export_conditioned
from sextant.families.diffusion.conditioned_networks import ConditionedUNet, VectorDenoiser
from sextant.families.diffusion.conditioned_train import ConditionedTraining
from sextant.families.diffusion.prediction import Prediction
from sextant.families.diffusion.schedule import Schedule
from sextant.families.provenance import Provenance
from sextant.zoo.data import captioned_faces
from sextant.zoo.data.captioned_faces import TOKEN_SPACE, TOKENS, WIDTH

FACES = 20_000
SEED = 1
CONTEXT = ContextPart(space=TOKEN_SPACE, tokens=TOKENS, width=WIDTH, masked=True)
PROCESS: dict[str, Any] = {"prediction": Prediction.V, "schedule": Schedule.COSINE, "train_steps": 1000}


def told(states: Tensor, lengths: Tensor) -> Mapping[str, Tensor]:
    """Captions' states [b, TOKENS, WIDTH] and lengths [b] as the inputs of a network."""
    mask = (torch.arange(TOKENS)[None] < lengths[:, None]).float()
    return {"context": states.float(), "mask": mask}


def publish_denoiser(
    training: ConditionedTraining,
    name: str,
    directory: Path,
    config: ConditionedConfig,
    about: str,
    defaults: Mapping[str, Any],
) -> Bundle:
    """The bundle of the average of what was trained."""
    network = training.average.module
    assert isinstance(network, ConditionedUNet | VectorDenoiser)
    provenance = Provenance(about, captioned_faces.PROVENANCE)
    return export_conditioned(network, directory, name, config, provenance=provenance, defaults=defaults)
