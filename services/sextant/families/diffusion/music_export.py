"""A trained diffusion model of piano rolls as a bundle: `denoiser.onnx`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from sextant.bundles.store import Bundle
from sextant.bundles.writer import write_bundle
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.families.diffusion.keys import KEYS
from sextant.families.diffusion.music_networks import RollUNet
from sextant.families.diffusion.piano_roll import ROWS, VOICES
from sextant.families.diffusion.prediction import Prediction
from sextant.families.diffusion.schedule import Schedule
from sextant.families.onnx_export import export, parity, rounded
from sextant.families.provenance import Provenance

_ROWS = 8


def export_roll_unet(
    network: RollUNet,
    directory: Path,
    name: str,
    *,
    schedule: Schedule,
    tempo_bpm: float,
    provenance: Provenance,
    defaults: Mapping[str, Any],
) -> Bundle:
    """Writes the bundle `directory / name`; `defaults` are what it samples with unless told otherwise."""
    plain: Any = rounded(network)
    inputs = {
        "x": torch.randn(_ROWS, len(VOICES), ROWS, network.length),
        "t": torch.linspace(0, network.steps - 1, _ROWS),
        "label": torch.arange(_ROWS) % (network.classes + 1),
        "known": (torch.rand(_ROWS, len(VOICES), 1, network.length) < 0.5).float(),
    }
    denoiser = export(plain, inputs, ["prediction"])
    return write_bundle(
        directory,
        {"denoiser.onnx": denoiser.onnx},
        name=name,
        family="diffusion",
        architecture="roll-unet",
        tasks=(TaskKind.GENERATE, TaskKind.TRANSFORM),
        inputs=(Modality.MUSIC,),
        outputs=(Modality.MUSIC,),
        deterministic=True,
        parity=parity((denoiser,)),
        network={
            "sixteenths": network.length,
            "tempo_bpm": tempo_bpm,
            "classes": [str(key) for key in KEYS],
            "prediction": Prediction.SAMPLE.value,
            "schedule": schedule.value,
            "train_steps": network.steps,
        },
        defaults={**defaults, "clip": False},
        **provenance.fields(),
    )
