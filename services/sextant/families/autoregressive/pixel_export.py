"""A trained PixelCNN as a bundle: `picture.onnx` for likelihoods, `row.onnx` and `pixel.onnx` for making pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from sextant.bundles.store import Bundle
from sextant.bundles.writer import write_bundle
from sextant.contract.events import Estimator
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.families.autoregressive.pixel_networks import ABOVE, LEFT, LEVELS, PixelCnn, PixelStep, RowStep
from sextant.families.onnx_export import export, parity, rounded
from sextant.families.provenance import Provenance

_ROWS = 8


def export_pixelcnn(
    network: PixelCnn, directory: Path, name: str, *, classes: Sequence[str], provenance: Provenance
) -> Bundle:
    """Writes the bundle `directory / name`."""
    plain: Any = rounded(network)
    layers, width, size = len(network.layers), network.width, network.size
    label = torch.arange(_ROWS) % network.classes
    levels = torch.randint(LEVELS, (_ROWS, 1, size, size)).float()
    picture = export(plain, {"level": levels, "label": label}, ["logits"])
    kept = torch.randn(_ROWS, layers, width, size)
    above = torch.rand(_ROWS, ABOVE, size)
    row = export(RowStep(plain), {"above": above, "kept": kept, "label": label}, ["told", "kept_out"])
    inputs = {
        "left": torch.rand(_ROWS, LEFT),
        "told": torch.randn(_ROWS, layers, 2 * width),
        "kept": torch.randn(_ROWS, layers, width, 2),
        "label": label,
    }
    pixel = export(PixelStep(plain), inputs, ["logits", "kept_out"])
    return write_bundle(
        directory,
        {"picture.onnx": picture.onnx, "row.onnx": row.onnx, "pixel.onnx": pixel.onnx},
        name=name,
        family="autoregressive",
        architecture="pixelcnn",
        tasks=(TaskKind.GENERATE, TaskKind.TRANSFORM, TaskKind.SCORE),
        inputs=(Modality.IMAGE,),
        outputs=(Modality.IMAGE,),
        score_estimator=Estimator.EXACT,
        deterministic=True,
        parity=parity((picture, row, pixel)),
        network={
            "height": size,
            "width": size,
            "channels": 1,
            "classes": list(classes),
            "above": ABOVE,
            "left": LEFT,
            "layers": layers,
            "features": width,
        },
        **provenance.fields(),
    )
