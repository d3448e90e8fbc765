"""A trained diffusion model as a bundle: `denoiser.onnx`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from sextant.bundles.store import Bundle
from sextant.bundles.writer import write_bundle
from sextant.contract.events import Estimator
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.families.diffusion.networks import UNet
from sextant.families.diffusion.prediction import Prediction
from sextant.families.diffusion.schedule import Schedule
from sextant.families.onnx_export import export, parity, rounded
from sextant.families.provenance import Provenance

_ROWS = 8


def export_unet(
    network: UNet,
    directory: Path,
    name: str,
    *,
    prediction: Prediction,
    schedule: Schedule,
    classes: Sequence[str],
    provenance: Provenance,
    defaults: Mapping[str, Any],
) -> Bundle:
    """Writes the bundle `directory / name`; `defaults` are what it samples with unless told otherwise."""
    plain: Any = rounded(network)
    inputs = {
        "x": torch.randn(_ROWS, network.channels, network.size, network.size),
        "t": torch.linspace(0, network.steps - 1, _ROWS),
        "label": torch.arange(_ROWS) % (network.classes + 1),
    }
    denoiser = export(plain, inputs, ["prediction"])
    return write_bundle(
        directory,
        {"denoiser.onnx": denoiser.onnx},
        name=name,
        family="diffusion",
        architecture="unet",
        tasks=(TaskKind.GENERATE, TaskKind.TRANSFORM, TaskKind.SCORE),
        inputs=(Modality.IMAGE,),
        outputs=(Modality.IMAGE,),
        score_estimator=Estimator.LOWER_BOUND,
        deterministic=True,
        parity=parity((denoiser,)),
        network={
            "height": network.size,
            "width": network.size,
            "channels": network.channels,
            "classes": list(classes),
            "prediction": prediction.value,
            "schedule": schedule.value,
            "train_steps": network.steps,
        },
        defaults=dict(defaults),
        **provenance.fields(),
    )
