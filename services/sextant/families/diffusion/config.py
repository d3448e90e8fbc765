"""What a diffusion model's manifest says under `network` and `defaults`."""

from typing import Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sextant.bundles.manifest import Manifest
from sextant.bundles.verify import explain
from sextant.contract.errors import BundleRefused
from sextant.contract.tasks import DiffusionSampler
from sextant.families.diffusion.keys import KEYS
from sextant.families.diffusion.prediction import Prediction
from sextant.families.diffusion.schedule import Schedule
from sextant.families.labels import ClassNames
from sextant.families.pixels import ImageSpec


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ProcessConfig(_Strict):
    """What a network was trained to undo; label `len(classes)` means none."""

    classes: ClassNames = ()
    prediction: Prediction
    schedule: Schedule
    train_steps: int = Field(ge=2, le=10_000)
    # First and last beta of a linear schedule, where they are not the usual ones.
    betas: tuple[float, float] | None = None

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


class PictureConfig(ProcessConfig):
    """A network from a noisy picture, its timestep and a class to `prediction`."""

    height: int = Field(gt=0, le=4096)
    width: int = Field(gt=0, le=4096)
    channels: Literal[1, 3]

    @property
    def image(self) -> ImageSpec:
        """The size of the pictures."""
        return ImageSpec(self.height, self.width, self.channels)


class MusicConfig(ProcessConfig):
    """A network of piano rolls, of `sixteenths` columns each, whose classes are keys: see `piano_roll` and `keys`."""

    sixteenths: int = Field(gt=0, le=4096, multiple_of=16)
    tempo_bpm: float = Field(ge=20, le=300)

    @model_validator(mode="after")
    def _classes_are_keys(self) -> Self:
        if self.classes != tuple(str(key) for key in KEYS):
            raise ValueError("classes must be the twenty-four keys, C major first and B minor last")
        return self


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


C = TypeVar("C", bound=ProcessConfig)


def read_config(manifest: Manifest, kind: type[C]) -> tuple[C, DiffusionDefaults]:
    """Both parts of the manifest. Raises `BundleRefused`."""
    try:
        config, defaults = kind.model_validate(manifest.network), DiffusionDefaults.model_validate(manifest.defaults)
    except ValidationError as error:
        raise BundleRefused(manifest.name, explain(error)) from error
    if defaults.sampler not in config.samplers:
        reason = f"defaults: sampler {defaults.sampler} does not fit prediction {config.prediction}"
        raise BundleRefused(manifest.name, reason)
    if defaults.steps > config.train_steps:
        raise BundleRefused(manifest.name, "defaults: steps must not be more than train_steps")
    return config, defaults
