"""What a VAE's manifest says under `network` and `defaults`."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from sextant.families.labels import ClassNames
from sextant.families.pixels import ImageSpec


class VaeNetworkConfig(BaseModel):
    """Sizes of the networks, names of the classes (none: unconditional), and the scale of the likelihood.

    `scale` is that of the discretised logistic, in units where white is 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    latent_dim: int = Field(gt=0, le=65536)
    height: int = Field(gt=0, le=4096)
    width: int = Field(gt=0, le=4096)
    channels: Literal[1, 3]
    classes: ClassNames = ()
    scale: float = Field(gt=0, allow_inf_nan=False)

    @property
    def image(self) -> ImageSpec:
        """The size of the pictures."""
        return ImageSpec(self.height, self.width, self.channels)


class VaeDefaults(BaseModel):
    """Sampling defaults: `temperature` scales the standard deviation of z, `rows_per_step` bounds a call."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(default=1.0, ge=0, le=10)
    importance_samples: int = Field(default=64, ge=1, le=5000)
    rows_per_step: int = Field(default=64, ge=1, le=1024)
