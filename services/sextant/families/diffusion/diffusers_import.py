"""A UNet2DConditionModel with its schedule, as a diffusers pipeline holds them, into a bundle. Importing only.

Needs torch and diffusers. What was trained as it is here comes out the same for the same noise and steps by DDIM; the
other rules visit the noise levels that ours do.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from sextant.bundles.store import Bundle
from sextant.bundles.writer import write_bundle
from sextant.contract.errors import BundleRefused
from sextant.contract.media import Modality
from sextant.contract.tasks import DiffusionSampler, TaskKind
from sextant.families.diffusion.conditioned_config import ConditionedConfig, ContextPart, ForeignProcess, LatentPart
from sextant.families.diffusion.prediction import Prediction
from sextant.families.diffusion.schedule import Schedule, Spacing
from sextant.families.onnx_export import export, parity
from sextant.families.provenance import Provenance

_PREDICTIONS = {"epsilon": Prediction.EPSILON, "sample": Prediction.SAMPLE, "v_prediction": Prediction.V}
_SCHEDULES = {
    "linear": Schedule.LINEAR,
    "scaled_linear": Schedule.SCALED_LINEAR,
    "squaredcos_cap_v2": Schedule.COSINE,
}
_SPACINGS = {"leading": Spacing.LEADING, "trailing": Spacing.TRAILING}
# PNDM is not ours: DDIM, which it refines, stands in for it.
_SAMPLERS = {
    "DDIMScheduler": DiffusionSampler.DDIM,
    "PNDMScheduler": DiffusionSampler.DDIM,
    "DDPMScheduler": DiffusionSampler.DDPM,
    "DPMSolverMultistepScheduler": DiffusionSampler.DPM_SOLVER_PP_2M,
    "EulerDiscreteScheduler": DiffusionSampler.EULER,
}
_USUAL_STEPS, _USUAL_GUIDANCE = 50, 7.5
_MOST_BYTES = 2_000_000_000  # of one network: what fits into an ONNX file without a second one
_ROWS = 4


class _Denoiser(nn.Module):
    """x[b, c, h, w], t[b], context[b, tokens, width] -> the prediction."""

    def __init__(self, unet: Any) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, x: Tensor, t: Tensor, context: Tensor) -> Tensor:
        said: Tensor = self.unet(x, t, encoder_hidden_states=context, return_dict=False)[0]
        return said


def load_unet(weights: Path, bundle: str) -> Any:
    """The network in a directory. Raises `BundleRefused` where it is another, or too large."""
    try:
        unet = UNet2DConditionModel.from_pretrained(weights, use_safetensors=True).eval().float()
    except (OSError, ValueError) as error:
        raise BundleRefused(bundle, f"{weights.name}: {error}") from error
    size_bytes = 4 * sum(parameter.numel() for parameter in unet.parameters())
    if size_bytes > _MOST_BYTES:
        raise BundleRefused(bundle, f"{weights.name} has {size_bytes / 1e9:.1f} GB; networks up to 2 GB are imported")
    if unet.config.in_channels != unet.config.out_channels:
        raise BundleRefused(bundle, f"{weights.name}: networks that are told a mask or a picture are not imported")
    return unet


def import_unet(
    unet: Any,
    process: ForeignProcess,
    defaults: Mapping[str, Any],
    destination: Path,
    name: str,
    *,
    latent: LatentPart,
    context: ContextPart,
    provenance: Provenance,
) -> Bundle:
    """Makes the bundle `destination / name` of a network and what `read_schedule` made of its scheduler.

    Raises `BundleRefused` where the network is not told such a sequence.
    """
    if unet.config.cross_attention_dim != context.width:
        raise BundleRefused(name, f"it attends to {unet.config.cross_attention_dim} numbers, not to {context.width}")
    config = ConditionedConfig(**process.model_dump(), latent=latent, context=context)
    inputs = {
        "x": torch.randn(_ROWS, *latent.shape),
        "t": torch.linspace(0, config.train_steps - 1, _ROWS),
        "context": torch.randn(_ROWS, context.tokens, context.width),
    }
    denoiser = export(_Denoiser(unet), inputs, ["prediction"])
    return write_bundle(
        destination,
        {"denoiser.onnx": denoiser.onnx},
        name=name,
        family="diffusion",
        architecture="conditioned-unet",
        tasks=(TaskKind.GENERATE, TaskKind.TRANSFORM),
        inputs=(Modality.LATENT,),
        outputs=(Modality.LATENT,),
        latent_spaces=config.latent_spaces,
        deterministic=True,
        parity=parity((denoiser,)),
        network=config.model_dump(mode="json", exclude_none=True, exclude_defaults=True),
        defaults=dict(defaults),
        **provenance.fields(),
    )


def read_schedule(scheduler: dict[str, Any], name: str) -> tuple[ForeignProcess, dict[str, Any]]:
    """A pipeline's scheduler_config.json as the process that the network undoes, and how it is usually sampled.

    Raises `BundleRefused` where it says what we do not do.
    """
    class_name = scheduler.get("_class_name")
    sampler = _SAMPLERS.get(str(class_name))
    if sampler is None:
        known = ", ".join(_SAMPLERS)
        raise BundleRefused(name, f"scheduler {class_name!r} is not imported; {known} are")

    def one_of(key: str, known: dict[str, Any], usual: str) -> Any:
        said = scheduler.get(key, usual)
        if said not in known:
            raise BundleRefused(name, f"scheduler: {key} = {said!r} is not imported; {', '.join(known)} are")
        return known[said]

    # Where rules go by noise levels rather than by timesteps, how these are spaced is ours.
    by_timesteps = sampler in (DiffusionSampler.DDIM, DiffusionSampler.DDPM)
    train_steps = int(scheduler.get("num_train_timesteps", 1000))
    process = ForeignProcess(
        prediction=one_of("prediction_type", _PREDICTIONS, "epsilon"),
        schedule=one_of("beta_schedule", _SCHEDULES, "linear"),
        train_steps=train_steps,
        betas=(float(scheduler.get("beta_start", 1e-4)), float(scheduler.get("beta_end", 0.02))),
        spacing=one_of("timestep_spacing", _SPACINGS, "leading") if by_timesteps else Spacing.TRAILING,
        steps_offset=int(scheduler.get("steps_offset", 0)),
        ends_clean=bool(scheduler.get("set_alpha_to_one", True)),
    )
    defaults = {
        "sampler": sampler.value,
        "steps": min(_USUAL_STEPS, train_steps),
        "guidance": _USUAL_GUIDANCE,
        "clip": bool(scheduler.get("clip_sample", class_name in ("DDIMScheduler", "DDPMScheduler"))),
    }
    return process, defaults
