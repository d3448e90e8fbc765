"""Music: chorales in four voices, from noise or to given voices and beginnings."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sextant.bundles.store import Bundle
from sextant.families.diffusion.keys import KEYS
from sextant.families.diffusion.music_export import export_roll_unet
from sextant.families.diffusion.music_networks import RollUNet
from sextant.families.diffusion.music_train import RollTraining
from sextant.families.diffusion.piano_roll import sounding_rows, struck_again
from sextant.families.diffusion.schedule import Schedule
from sextant.families.provenance import Provenance
from sextant.zoo.data.chorales import BAR, PROVENANCE, chorales, windows
from sextant.zoo.recipe import Recipe

LENGTH = 8 * BAR
_NEAR = range(-3, 4)  # semitones by which a piece is moved, so that every key has many


def _chorales() -> tuple[Tensor, Tensor, Tensor]:
    """Every window in seven keys."""
    cut = [
        (score.transposed(semitones), piece.key.transposed(semitones))
        for piece, score in windows(chorales("train"), LENGTH)
        for semitones in _NEAR
    ]
    rows = torch.from_numpy(np.stack([sounding_rows(score) for score, _ in cut]).astype(np.uint8))
    again = torch.from_numpy(np.stack([struck_again(score) for score, _ in cut]))
    return rows, again, torch.tensor([KEYS.index(key) for _, key in cut])


def _build() -> RollTraining:
    return RollTraining(RollUNet(LENGTH, len(KEYS)), rate=1e-3, schedule=Schedule.COSINE)


def _publish(training: RollTraining, name: str, directory: Path) -> Bundle:
    network = training.average.module
    assert isinstance(network, RollUNet)
    return export_roll_unet(
        network,
        directory,
        name,
        schedule=training.schedule,
        tempo_bpm=84.0,
        provenance=Provenance("Eight bars for four voices, as Bach set chorales; also to given ones.", PROVENANCE),
        defaults={"sampler": "ddpm", "steps": 50, "guidance": 1.0},
    )


RECIPES = (
    Recipe(
        name="bach-diffusion",
        family="diffusion",
        summary="Diffusion on Bach's chorales: eight bars for four voices, free or to a given voice or beginning.",
        data=_chorales,
        build=_build,
        publish=_publish,
        steps=5_000,
        batch=64,
        core_hours=1.5,
    ),
)
