"""What a WaveNet's manifest says under `network` and `defaults`."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sextant.bundles.manifest import Manifest
from sextant.bundles.verify import explain
from sextant.contract.errors import BundleRefused
from sextant.families.autoregressive.defaults import AutoregressiveDefaults
from sextant.families.labels import ClassNames


class WaveNetConfig(BaseModel):
    """The sounds, and what the networks keep of the past; see `wave_networks`. A `frame` of samples is a step."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    classes: ClassNames = Field(min_length=1)
    voices: ClassNames = Field(min_length=1)
    sample_rate_hz: int = Field(ge=1000, le=192_000)
    frame: int = Field(ge=1, le=4096)
    most_samples: int = Field(ge=1, le=2**20)
    dilations: tuple[int, ...] = Field(min_length=1, max_length=256)
    features: int = Field(ge=1, le=4096)

    @model_validator(mode="after")
    def _whole_frames(self) -> Self:
        if self.most_samples % self.frame:
            raise ValueError("most_samples must be whole frames")
        if min(self.dilations) < 1 or max(self.dilations) > 2**16:
            raise ValueError("dilations must be from 1 to 65536")
        return self

    @property
    def most_seconds(self) -> float:
        """The longest sound."""
        return self.most_samples / self.sample_rate_hz


def read_config(manifest: Manifest) -> tuple[WaveNetConfig, AutoregressiveDefaults]:
    """Both parts of the manifest. Raises `BundleRefused`."""
    try:
        network = WaveNetConfig.model_validate(manifest.network)
        return network, AutoregressiveDefaults.model_validate(manifest.defaults)
    except ValidationError as error:
        raise BundleRefused(manifest.name, explain(error)) from error
