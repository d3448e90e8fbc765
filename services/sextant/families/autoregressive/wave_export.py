"""A trained WaveNet as a bundle: `sound.onnx` for likelihoods, `told.onnx` and `sample.onnx` for making sound."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from sextant.bundles.store import Bundle
from sextant.bundles.writer import write_bundle
from sextant.contract.events import Estimator
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.families.autoregressive.mu_law import LEVELS
from sextant.families.autoregressive.wave_networks import FRAME, WaveNet, WaveStep
from sextant.families.onnx_export import export, parity, rounded
from sextant.families.provenance import Provenance

_ROWS = 8


def export_wavenet(
    network: WaveNet,
    directory: Path,
    name: str,
    *,
    classes: Sequence[str],
    voices: Sequence[str],
    sample_rate_hz: int,
    most_samples: int,
    provenance: Provenance,
) -> Bundle:
    """Writes the bundle `directory / name`, for sounds of at most `most_samples`, a multiple of `FRAME`."""
    plain: Any = rounded(network)
    layers, width = len(network.dilations), network.width
    rows = torch.arange(_ROWS)
    spoken = {"label": rows % network.classes, "voice": rows % network.voices}
    level = torch.randint(LEVELS, (_ROWS, most_samples))
    sound = export(plain, {"level": level, **spoken}, ["logits"])
    told = export(plain.told, {**spoken, "frame": rows.float()}, ["told"])
    inputs = {
        "before": rows * 30,
        "past": torch.randn(_ROWS, layers, width),
        "told": torch.randn(_ROWS, layers, 2 * width),
    }
    sample = export(WaveStep(plain), inputs, ["logits", "now"])
    return write_bundle(
        directory,
        {"sound.onnx": sound.onnx, "told.onnx": told.onnx, "sample.onnx": sample.onnx},
        name=name,
        family="autoregressive",
        architecture="wavenet",
        tasks=(TaskKind.GENERATE, TaskKind.SCORE),
        inputs=(Modality.AUDIO,),
        outputs=(Modality.AUDIO,),
        score_estimator=Estimator.EXACT,
        deterministic=True,
        parity=parity((sound, told, sample)),
        network={
            "classes": list(classes),
            "voices": list(voices),
            "sample_rate_hz": sample_rate_hz,
            "frame": FRAME,
            "most_samples": most_samples,
            "dilations": list(network.dilations),
            "features": width,
        },
        **provenance.fields(),
    )
