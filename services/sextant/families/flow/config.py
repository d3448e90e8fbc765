"""What a flow's manifest says under `network` and `defaults`."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sextant.bundles.manifest import Manifest
from sextant.bundles.verify import explain
from sextant.contract.errors import BundleRefused
from sextant.families.pixels import ImageSpec


class RealNvpNetworkConfig(BaseModel):
    """The columns of the tables that the flow is a density of."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        if len(set(self.columns)) != len(self.columns) or "" in self.columns:
            raise ValueError("columns must have names, and different ones")
        return self


class GlowNetworkConfig(BaseModel):
    """Sizes of the pictures, and the names of the attributes whose directions the bundle knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    height: int = Field(gt=0, le=4096)
    width: int = Field(gt=0, le=4096)
    channels: Literal[1, 3]
    latent_dim: int = Field(gt=0)
    attributes: tuple[str, ...] = ()

    @property
    def image(self) -> ImageSpec:
        """The size of the pictures."""
        return ImageSpec(self.height, self.width, self.channels)

    @model_validator(mode="after")
    def _nothing_is_lost(self) -> Self:
        pixels = self.height * self.width * self.channels
        if self.latent_dim != pixels:
            raise ValueError(f"{pixels} pixel values need as many latents, not {self.latent_dim}")
        return self


class FlowDefaults(BaseModel):
    """Sampling defaults: `temperature` scales the standard deviation of z, `rows_per_step` bounds a call."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(default=1.0, ge=0, le=10)
    rows_per_step: int = Field(default=64, ge=1, le=4096)


def read_network_config(manifest: Manifest) -> GlowNetworkConfig | RealNvpNetworkConfig:
    """`network` of a flow's manifest, by its architecture. Raises `BundleRefused`."""
    try:
        if manifest.architecture == "glow":
            return GlowNetworkConfig.model_validate(manifest.network)
        if manifest.architecture == "realnvp":
            return RealNvpNetworkConfig.model_validate(manifest.network)
    except ValidationError as error:
        raise BundleRefused(manifest.name, explain(error)) from error
    raise BundleRefused(
        manifest.name, f"flows of architecture {manifest.architecture!r} are unknown; known: glow, realnvp"
    )
