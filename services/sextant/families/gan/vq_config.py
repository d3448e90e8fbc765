"""What a VQ-GAN's manifest says under `network` and `defaults`."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from sextant.bundles.manifest import LatentSpace
from sextant.families.pixels import ImageSpec


class VqConfig(BaseModel):
    """Sizes of pictures, and of the map `places` [h, w] of codes below `codes` in the latent space `space`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    height: int = Field(gt=0, le=4096)
    width: int = Field(gt=0, le=4096)
    channels: Literal[1, 3]
    space: str = Field(min_length=1, max_length=128)
    places: tuple[int, int]
    codes: int = Field(gt=1, le=65536)

    @property
    def image(self) -> ImageSpec:
        """The size of the pictures."""
        return ImageSpec(self.height, self.width, self.channels)

    @property
    def latent_space(self) -> LatentSpace:
        """As the manifest lists it."""
        return LatentSpace(id=self.space, shape=self.places)


class VqDefaults(BaseModel):
    """`rows_per_step` bounds a call."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows_per_step: int = Field(default=16, ge=1, le=1024)
