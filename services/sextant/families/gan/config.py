"""What a GAN's manifest says under `network` and `defaults`."""

from collections.abc import Sequence
from typing import Literal, Self, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sextant.bundles.manifest import Manifest
from sextant.bundles.store import Bundle
from sextant.bundles.verify import explain
from sextant.contract.errors import BundleRefused
from sextant.contract.media import Image, Latent
from sextant.contract.tasks import Conditions, GanParameters, Task, TaskKind, Walk
from sextant.families.labels import ClassNames
from sextant.families.pixels import ImageSpec

M = TypeVar("M", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Pictures(_Strict):
    height: int = Field(gt=0, le=4096)
    width: int = Field(gt=0, le=4096)
    channels: Literal[1, 3]

    @property
    def image(self) -> ImageSpec:
        """The size of the pictures."""
        return ImageSpec(self.height, self.width, self.channels)


class GeneratorConfig(_Pictures):
    """A network from z, and a class where there are any, to a picture."""

    latent_dim: int = Field(gt=0, le=4096)
    classes: ClassNames = ()


class StyleConfig(_Pictures):
    """StyleGAN's two networks; `mean_style` is what truncation pulls w towards."""

    latent_dim: int = Field(gt=0, le=4096)
    style_dim: int = Field(gt=0, le=4096)
    layers: int = Field(gt=1, le=64)
    noise_dim: int = Field(gt=0)
    classes: tuple[str, ...] = Field(default=(), max_length=0)
    mean_style: tuple[float, ...]

    @model_validator(mode="after")
    def _mean_is_a_style(self) -> Self:
        if len(self.mean_style) != self.style_dim or not np.isfinite(self.mean_style).all():
            raise ValueError(f"mean_style must be {self.style_dim} finite numbers")
        return self


class TranslationConfig(_Pictures):
    """CycleGAN's generators: the file of each direction, the default one first."""

    directions: dict[str, str] = Field(min_length=1)


class GanDefaults(_Strict):
    """Sampling defaults: psi of the truncation (1: none), steps of an inversion, and what bounds a call."""

    truncation: float = Field(default=1.0, ge=0, le=1)
    inversion_steps: int = Field(default=20, ge=1, le=2000)
    rows_per_step: int = Field(default=64, ge=1, le=1024)


def read_config(manifest: Manifest, network: type[M]) -> tuple[M, GanDefaults]:
    """Both parts of the manifest. Raises `BundleRefused`."""
    try:
        return network.model_validate(manifest.network), GanDefaults.model_validate(manifest.defaults)
    except ValidationError as error:
        raise BundleRefused(manifest.name, explain(error)) from error


def warm_up(bundle: Bundle) -> Sequence[Task]:
    """Tasks that touch every code path once, of those that the bundle has."""
    manifest = bundle.manifest
    network = manifest.network
    picture = Image(np.zeros((network["height"], network["width"], network["channels"]), np.uint8))
    label = Conditions(class_label=next(iter(network.get("classes", ())), ""))
    tasks = [Task(TaskKind.TRANSFORM, seed=0, source=picture, conditions=c) for c in _directions(network)]
    if manifest.latent_spaces:
        space = manifest.latent_spaces[0]
        latent = Latent(space.id, np.zeros(space.shape, np.float32))
        tasks += [
            Task(TaskKind.GENERATE, seed=0, conditions=label),
            Task(TaskKind.DECODE, seed=0, source=latent, conditions=label),
            Task(TaskKind.INTERPOLATE, seed=0, walk=Walk(0.5), conditions=label),
            Task(TaskKind.ENCODE, seed=0, source=picture, parameters=GanParameters(inversion_steps=2)),
        ]
    return tuple(task for task in tasks if task.kind in manifest.tasks)


def _directions(network: dict[str, object]) -> list[Conditions]:
    directions = network.get("directions", {})
    return [Conditions(attributes={"direction": name}) for name in directions] if isinstance(directions, dict) else []
