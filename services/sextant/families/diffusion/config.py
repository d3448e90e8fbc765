"""What a diffusion model's manifest says under `network` and `defaults`."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sextant.bundles.manifest import Manifest
from sextant.bundles.verify import explain
from sextant.contract.errors import BundleRefused
from sextant.contract.tasks import DiffusionSampler
from sextant.families.diffusion.prediction import Prediction
from sextant.families.diffusion.schedule import Schedule
from sextant.families.labels import ClassNames
from sextant.families.pixels import ImageSpec


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DenoiserConfig(_Strict):
    """A network from a noisy picture, its timestep and a class to `prediction`; label `len(classes)` means none."""

    height: int = Field(gt=0, le=4096)
    width: int = Field(gt=0, le=4096)
    channels: Literal[1, 3]
    classes: ClassNames = ()
    prediction: Prediction
    schedule: Schedule
    train_steps: int = Field(ge=2, le=10_000)

    @property
    def image(self) -> ImageSpec:
        """The size of the pictures."""
        return ImageSpec(self.height, self.width, self.channels)

    @property
    def samplers(self) -> tuple[DiffusionSampler, ...]:
        """The rules that fit the prediction."""
        if self.prediction is Prediction.FLOW:
            return (DiffusionSampler.FLOW_EULER,)
        return (
            DiffusionSampler.DDPM,
            DiffusionSampler.DDIM,
            DiffusionSampler.EULER,
            DiffusionSampler.DPM_SOLVER_PP_2M,
        )


class DiffusionDefaults(_Strict):
    """Sampling defaults; `clip` keeps x_0 in the range of pictures, `score_steps` is of the variational bound."""

    sampler: DiffusionSampler
    steps: int = Field(default=50, ge=1, le=1000)
    guidance: float = Field(default=1.0, ge=0, le=30)
    eta: float = Field(default=0.0, ge=0, le=1)
    strength: float = Field(default=0.6, gt=0, le=1)
    clip: bool = True
    score_steps: int = Field(default=20, ge=1, le=1000)
    rows_per_step: int = Field(default=64, ge=16, le=1024)


class _Both(_Strict):
    network: DenoiserConfig
    defaults: DiffusionDefaults

    @model_validator(mode="after")
    def _defaults_fit(self) -> Self:
        if self.defaults.sampler not in self.network.samplers:
            raise ValueError(f"sampler {self.defaults.sampler} does not fit prediction {self.network.prediction}")
        if self.defaults.steps > self.network.train_steps:
            raise ValueError("steps must not be more than train_steps")
        return self


def read_config(manifest: Manifest) -> tuple[DenoiserConfig, DiffusionDefaults]:
    """Both parts of the manifest. Raises `BundleRefused`."""
    try:
        both = _Both.model_validate({"network": manifest.network, "defaults": manifest.defaults})
    except ValidationError as error:
        raise BundleRefused(manifest.name, explain(error)) from error
    return both.network, both.defaults
