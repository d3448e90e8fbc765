"""The Imagen kind (Saharia et al. 2022): faces of 16 pixels from words, and a second diffusion model enlarges them.

The two are trained apart. The enlarger learns from pictures that were made small and blurred a little by noise (Ho et
al. 2022, "Cascaded diffusion models", section 4.2), for what it is given when it serves is not quite what was drawn.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from sextant.bundles.store import Bundle
from sextant.bundles.writer import write_bundle
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.families.diffusion.conditioned_config import ConditionedConfig, PicturePart
from sextant.families.diffusion.conditioned_networks import ConditionedUNet, Told
from sextant.families.diffusion.conditioned_train import ConditionedTraining
from sextant.families.provenance import Provenance
from sextant.zoo.data import captioned_faces
from sextant.zoo.data.captioned_faces import SENTENCE_MODEL, TOKEN_SPACE, TOKENS, WIDTH
from sextant.zoo.recipe import Recipe
from sextant.zoo.recipes.hybrids.words import CONTEXT, FACES, PROCESS, SEED, publish_denoiser, told

HYBRID, SMALL, ENLARGER = "faces-cascade", "faces-small", "faces-enlarger"
_SMALL, _LARGE = 16, 64
_FACTOR = _LARGE // _SMALL
_DECAY = 0.998  # the runs are short
_DISTURBANCE = 0.1  # the most noise on what is to be enlarged, in units where the range is 2


def _small_and_words() -> Sequence[Tensor]:
    """Pictures float16[n, 3, 16, 16] in [-1, 1], the captions' states and lengths."""
    data = captioned_faces.load(FACES, SEED)
    pictures = torch.from_numpy(data.images).permute(0, 3, 1, 2)
    small = torch.cat([_scaled(part) for part in pictures.split(1000)])
    said = captioned_faces.words(f"faces-{FACES}-{SEED}", data.captions)
    return small.half(), torch.from_numpy(said.states), torch.from_numpy(said.lengths)


def _large() -> tuple[Tensor]:
    images = captioned_faces.load(FACES, SEED).images
    return (torch.from_numpy(images).permute(0, 3, 1, 2),)


def _scaled(pictures: Tensor) -> Tensor:
    """uint8[b, 3, 64, 64] -> [b, 3, 16, 16] in [-1, 1]."""
    small: Tensor = F.avg_pool2d(pictures.float(), _FACTOR) / 127.5 - 1
    return small


def _read_small(batch: tuple[Tensor, ...]) -> tuple[Tensor, Mapping[str, Tensor]]:
    small, states, lengths = batch
    return small.float(), told(states, lengths)


def _read_large(batch: tuple[Tensor, ...]) -> tuple[Tensor, Mapping[str, Tensor]]:
    small = _scaled(batch[0])
    disturbed = small + _DISTURBANCE * torch.rand(len(small), 1, 1, 1) * torch.randn_like(small)
    given = F.interpolate(disturbed.clamp(-1, 1), scale_factor=float(_FACTOR), mode="nearest")
    return batch[0].float() / 127.5 - 1, {"given": given}


def _build_small() -> ConditionedTraining:
    network = ConditionedUNet(3, _SMALL, Told((TOKENS, WIDTH)), width=56, patch=2)
    return ConditionedTraining(network, _read_small, rate=1e-3, decay=_DECAY)


def _build_enlarger() -> ConditionedTraining:
    return ConditionedTraining(
        ConditionedUNet(3, _LARGE, Told(given=True), width=64, patch=4), _read_large, rate=1e-3, decay=_DECAY
    )


def _publish_small(training: ConditionedTraining, name: str, directory: Path) -> Bundle:
    config = ConditionedConfig(**PROCESS, height=_SMALL, width=_SMALL, channels=3, context=CONTEXT)
    defaults = {"sampler": "dpm-solver++2m", "steps": 20, "guidance": 3.0}
    return publish_denoiser(
        training, name, directory, config, "Faces, 16 x 16, from words; a stage of faces-cascade.", defaults
    )


def _publish_enlarger(training: ConditionedTraining, name: str, directory: Path) -> Bundle:
    """The enlarger, and beside it the hybrid."""
    given = PicturePart(height=_SMALL, width=_SMALL, channels=3)
    config = ConditionedConfig(**PROCESS, height=_LARGE, width=_LARGE, channels=3, given=given)
    defaults = {"sampler": "dpm-solver++2m", "steps": 10}
    about = "Faces, 64 x 64, of faces of 16 x 16; a stage of faces-cascade."
    bundle = publish_denoiser(training, name, directory, config, about, defaults)
    write_bundle(
        directory,
        {},
        name=HYBRID,
        family="hybrid",
        architecture="cascade",
        tasks=(TaskKind.GENERATE,),
        inputs=(Modality.TEXT,),
        outputs=(Modality.IMAGE,),
        deterministic=True,
        graph={"generate": cascade_graph(SMALL, name)},
        **Provenance("Pixel-art faces, 64 x 64, from words (cascade).", captioned_faces.PROVENANCE).fields(),
    )
    return bundle


def cascade_graph(small: str, enlarger: str) -> dict[str, object]:
    """Words to a small picture, and that to a large one; by the names of the two denoisers."""
    return {
        "answer": "enlarge",
        "stream": "draw",
        "stages": {
            "read": {"model": SENTENCE_MODEL, "task": "encode"},
            "draw": {"model": small, "task": "generate"},
            "enlarge": {"model": enlarger, "task": "generate"},
        },
        "edges": [
            {"from": "request.prompt", "to": "read.source"},
            {"from": "read", "to": "draw.conditions", "space": TOKEN_SPACE},
            {"from": "draw", "to": "enlarge.conditions", "media": "image"},
        ],
    }


RECIPES = (
    Recipe(
        name=SMALL,
        family="diffusion",
        summary="Pixel diffusion of small faces from words: the first half of the Imagen kind.",
        data=_small_and_words,
        build=_build_small,
        publish=_publish_small,
        steps=2_500,
        batch=64,
    ),
    Recipe(
        name=ENLARGER,
        family="diffusion",
        summary="Super-resolution diffusion, 16 to 64 pixels: the second half of the Imagen kind.",
        data=_large,
        build=_build_enlarger,
        publish=_publish_enlarger,
        steps=4_000,
        batch=32,
    ),
)
