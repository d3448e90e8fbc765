"""What a PixelCNN's manifest says under `network` and `defaults`."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sextant.bundles.manifest import Manifest
from sextant.bundles.verify import explain
from sextant.contract.errors import BundleRefused
from sextant.families.autoregressive.defaults import AutoregressiveDefaults
from sextant.families.labels import ClassNames
from sextant.families.pixels import ImageSpec


class PixelCnnConfig(BaseModel):
    """The pictures, and what the networks see of the past; see `pixel_networks`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    height: int = Field(gt=0, le=4096)
    width: int = Field(gt=0, le=4096)
    channels: Literal[1]
    classes: ClassNames = Field(min_length=1)
    above: int = Field(ge=1, le=16)
    left: int = Field(ge=1, le=16)
    layers: int = Field(ge=1, le=256)
    features: int = Field(ge=1, le=4096)

    @property
    def image(self) -> ImageSpec:
        """The size of the pictures."""
        return ImageSpec(self.height, self.width, self.channels)


def read_config(manifest: Manifest) -> tuple[PixelCnnConfig, AutoregressiveDefaults]:
    """Both parts of the manifest. Raises `BundleRefused`."""
    try:
        network = PixelCnnConfig.model_validate(manifest.network)
        return network, AutoregressiveDefaults.model_validate(manifest.defaults)
    except ValidationError as error:
        raise BundleRefused(manifest.name, explain(error)) from error
