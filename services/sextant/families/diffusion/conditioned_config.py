"""What the manifest of a conditioned denoiser says under `network`: what it denoises, and what it is told."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sextant.bundles.manifest import LatentSpace
from sextant.families.diffusion.config import ProcessConfig
from sextant.families.diffusion.schedule import Spacing, Stops
from sextant.families.pixels import ImageSpec


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LatentPart(_Strict):
    """Points of the latent space `space`, denoised at `scale` (z - shift)."""

    space: str = Field(min_length=1, max_length=128)
    shape: tuple[int, ...] = Field(min_length=1)
    scale: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    shift: float = Field(default=0.0, allow_inf_nan=False)


class ContextPart(_Strict):
    """A sequence of at most `tokens` vectors of the space `space`, which the network attends to.

    With `masked` a sequence may be shorter, and none at all is what guidance leads away from; otherwise it has all
    tokens, and guidance needs another one to lead away from.
    """

    space: str = Field(min_length=1, max_length=128)
    tokens: int = Field(gt=0, le=4096)
    width: int = Field(gt=0, le=65536)
    masked: bool

    @property
    def latent_space(self) -> LatentSpace:
        """As the manifest lists it; of any length where shorter sequences may be given."""
        return LatentSpace(id=self.space, shape=(0 if self.masked else self.tokens, self.width), condition=True)


class VectorPart(_Strict):
    """One vector of the space `space`; zeros are what guidance leads away from."""

    space: str = Field(min_length=1, max_length=128)
    width: int = Field(gt=0, le=65536)

    @property
    def latent_space(self) -> LatentSpace:
        """As the manifest lists it."""
        return LatentSpace(id=self.space, shape=(self.width,), condition=True)


class PicturePart(_Strict):
    """A smaller picture that is to be enlarged: the network is told it at its own size, by nearest neighbours."""

    height: int = Field(gt=0, le=4096)
    width: int = Field(gt=0, le=4096)
    channels: Literal[1, 3]

    @property
    def image(self) -> ImageSpec:
        """Its size."""
        return ImageSpec(self.height, self.width, self.channels)


class ForeignProcess(ProcessConfig):
    """A process that is sampled at other timesteps than ours, or ends at the level of t = 0: see `schedule.Stops`."""

    spacing: Spacing = Spacing.TRAILING
    steps_offset: int = Field(default=0, ge=0, le=1)
    ends_clean: bool = True

    @property
    def stops(self) -> Stops:
        """Which timesteps are visited."""
        return Stops(self.spacing, self.steps_offset, self.ends_clean)


class ConditionedConfig(ForeignProcess):
    """A network from noisy pictures or latents, a timestep and conditions to `prediction`.

    Pictures have `height`, `width` and `channels`; for latents there is `latent` instead.
    """

    height: int | None = Field(default=None, gt=0, le=4096)
    width: int | None = Field(default=None, gt=0, le=4096)
    channels: Literal[1, 3] | None = None
    latent: LatentPart | None = None
    context: ContextPart | None = None
    vector: VectorPart | None = None
    given: PicturePart | None = None

    @property
    def image(self) -> ImageSpec | None:
        """The size of the pictures; None for latents."""
        if self.height is None or self.width is None or self.channels is None:
            return None
        return ImageSpec(self.height, self.width, self.channels)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of what is denoised: [c, h, w], or a latent's own."""
        spec = self.image
        if spec is not None:
            return spec.channels, spec.height, spec.width
        assert self.latent is not None
        return self.latent.shape

    @property
    def latent_spaces(self) -> tuple[LatentSpace, ...]:
        """As the manifest lists them."""
        own = () if self.latent is None else (LatentSpace(id=self.latent.space, shape=self.latent.shape),)
        return (*own, *(part.latent_space for part in (self.context, self.vector) if part is not None))

    @model_validator(mode="after")
    def _denoises_one_thing(self) -> Self:
        sizes = (self.height, self.width, self.channels)
        if (self.latent is None) == (None in sizes) or (self.latent is not None and sizes != (None, None, None)):
            raise ValueError("it denoises pictures of a height, width and channels, or latents")
        if self.classes:
            raise ValueError("a conditioned network has no classes: they are words, or vectors")
        if self.given is not None:
            spec = self.image
            if spec is None or spec.height % self.given.height or spec.width % self.given.width:
                raise ValueError("given: pictures are enlarged a whole number of times")
            if spec.channels != self.given.channels:
                raise ValueError("given: has other channels than what is made of it")
        return self
