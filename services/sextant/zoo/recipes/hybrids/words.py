"""What denoisers that read captions share: how a batch says what it is of."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from sextant.families.diffusion.conditioned_config import ContextPart
from sextant.families.diffusion.prediction import Prediction
from sextant.families.diffusion.schedule import Schedule
from sextant.zoo.data.captioned_faces import TOKEN_SPACE, TOKENS, WIDTH

FACES = 20_000
SEED = 1
CONTEXT = ContextPart(space=TOKEN_SPACE, tokens=TOKENS, width=WIDTH, masked=True)
PROCESS: dict[str, Any] = {"prediction": Prediction.V, "schedule": Schedule.COSINE, "train_steps": 1000}


def told(states: Tensor, lengths: Tensor) -> Mapping[str, Tensor]:
    """Captions' states [b, TOKENS, WIDTH] and lengths [b] as the inputs of a network."""
    mask = (torch.arange(TOKENS)[None] < lengths[:, None]).float()
    return {"context": states.float(), "mask": mask}
