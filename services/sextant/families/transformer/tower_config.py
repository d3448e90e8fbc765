"""What the manifest of an image tower says under `network`."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from sextant.bundles.manifest import LatentSpace
from sextant.families.pixels import ImageSpec


class TowerConfig(BaseModel):
    """Pictures of one size become vectors of length 1 in the space of a text encoder, `space`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    height: int = Field(gt=0, le=4096)
    width: int = Field(gt=0, le=4096)
    channels: Literal[1, 3]
    space: str = Field(min_length=1, max_length=128)
    embedding: int = Field(gt=0, le=65536)
    rows_per_step: int = Field(default=32, ge=1, le=1024)

    @property
    def image(self) -> ImageSpec:
        """The size of the pictures."""
        return ImageSpec(self.height, self.width, self.channels)

    @property
    def latent_space(self) -> LatentSpace:
        """As the manifest lists it."""
        return LatentSpace(id=self.space, shape=(self.embedding,))
