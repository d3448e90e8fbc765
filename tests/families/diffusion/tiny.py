"""A denoising network small enough to export in a test, untrained."""

from pathlib import Path

import torch

from sextant.bundles.store import Bundle
from sextant.families.diffusion.export import export_unet
from sextant.families.diffusion.networks import UNet
from sextant.families.diffusion.prediction import Prediction
from sextant.families.diffusion.schedule import Schedule
from sextant.families.provenance import Provenance

CLASSES = ("left", "right")


def tiny_bundle(directory: Path, prediction: Prediction = Prediction.V) -> Bundle:
    torch.manual_seed(0)
    network = UNet(1, 8, len(CLASSES), width=16)
    with torch.no_grad():
        for parameter in network.parameters():  # layers that start at zero would hide what they do
            parameter.add_(0.05 * torch.randn_like(parameter))
    return export_unet(
        network,
        directory,
        "tiny-diffusion",
        prediction=prediction,
        schedule=Schedule.COSINE,
        classes=CLASSES,
        provenance=Provenance("Nothing.", "Untrained."),
        defaults={"sampler": "ddim", "steps": 5, "guidance": 2.0},
    )
