"""diffusers' own pipeline loop with torch: one request after another, each with its scheduler and guidance."""

from typing import Any

import diffusers
import torch
from torch import Tensor

from sextant.contract.tasks import DiffusionParameters, DiffusionSampler
from sextant.families.diffusion.networks import UNet

_SCHEDULERS: dict[DiffusionSampler, Any] = {
    DiffusionSampler.DDPM: diffusers.DDPMScheduler,
    DiffusionSampler.DDIM: diffusers.DDIMScheduler,
    DiffusionSampler.EULER: diffusers.EulerDiscreteScheduler,
    DiffusionSampler.DPM_SOLVER_PP_2M: diffusers.DPMSolverMultistepScheduler,
}


@torch.inference_mode()
def picture(network: UNet, given: DiffusionParameters, label: int) -> Tensor:
    """A picture uint8[c, h, w], as `given` asks, by the loop of diffusers' pipelines."""
    assert given.sampler is not None
    assert given.steps is not None
    assert given.guidance is not None
    scheduler = _SCHEDULERS[given.sampler](
        num_train_timesteps=network.steps, beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction"
    )
    scheduler.set_timesteps(given.steps)
    guided = given.guidance != 1
    labels = torch.tensor([network.classes, label] if guided else [label])
    x = torch.randn(1, network.channels, network.size, network.size) * scheduler.init_noise_sigma
    for t in scheduler.timesteps:
        asked = scheduler.scale_model_input(torch.cat([x, x]) if guided else x, t)
        said = network(asked, t.float().expand(len(asked)), labels)
        if guided:
            none, of_class = said.chunk(2)
            said = none + given.guidance * (of_class - none)
        x = scheduler.step(said, t, x).prev_sample
    return ((x[0] + 1) / 2 * 255).clamp(0, 255).round().to(torch.uint8)
