"""A VQ-GAN as a sampler (Esser et al. 2021): a picture to a map of codes, and codes to a picture, in a call each.

There is no Generate, for which codes go together is a transformer's to learn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from sextant.bundles.manifest import Manifest
from sextant.bundles.store import Bundle
from sextant.bundles.verify import explain
from sextant.contract.errors import BundleRefused, UnsupportedTask
from sextant.contract.events import Result
from sextant.contract.media import Image, Latent
from sextant.contract.tasks import Task, TaskKind
from sextant.families.codes import latent_of_codes, read_codes
from sextant.families.gan.vq_config import VqConfig, VqDefaults
from sextant.families.labels import read_class
from sextant.families.pixels import read_pixels, to_image
from sextant.families.row_network import RowNetwork
from sextant.families.row_states import Rows, RowSampler, open_network
from sextant.families.unread import refuse_unread
from sextant.runtime.rng import RequestRng
from sextant.runtime.sampler import Cost, Limits
from sextant.runtime.session import SessionConfig

ENCODER, DECODER = "encoder", "decoder"
_SLOTS = 64


@dataclass(slots=True)
class Coding:
    """`pixels` float32[c, h, w] on their way to codes of the space `space`."""

    index: int
    pixels: NDArray[np.float32]
    space: str
    codes: NDArray[np.int64] | None = None
    done: bool = False
    steps_done: int = 0
    steps_total: int = 1
    network: str = ENCODER

    def inputs(self) -> Rows:
        """The picture."""
        return {"image": self.pixels[None]}

    def take(self, outputs: Rows) -> None:
        """Distances [1, codes, h, w]: the nearest code, of equally near ones the first."""
        self.codes = outputs["distances"][0].argmin(axis=0)
        self.done, self.steps_done = True, 1

    def result(self) -> Result:
        """The codes as a latent."""
        if self.codes is None:
            raise RuntimeError("the picture has not been encoded yet")
        return Result(self.index, latent_of_codes(self.space, self.codes))


@dataclass(slots=True)
class Picturing:
    """`codes` int64[h, w] on their way to a picture."""

    index: int
    codes: NDArray[np.int64]
    pixels: NDArray[np.float32] | None = None
    done: bool = False
    steps_done: int = 0
    steps_total: int = 1
    network: str = DECODER

    def inputs(self) -> Rows:
        """The codes."""
        return {"codes": self.codes[None]}

    def take(self, outputs: Rows) -> None:
        """The picture [1, c, h, w]."""
        self.pixels = outputs["image"][0].copy()
        self.done, self.steps_done = True, 1

    def result(self) -> Result:
        """The picture."""
        if self.pixels is None:
            raise RuntimeError("the codes have not been decoded yet")
        return Result(self.index, to_image(self.pixels))


class VqSampler(RowSampler):
    """See `runtime.sampler.Sampler`."""

    def __init__(
        self, manifest: Manifest, networks: Mapping[str, RowNetwork], config: VqConfig, defaults: VqDefaults
    ) -> None:
        self._name, self._tasks = manifest.name, manifest.tasks
        self._networks, self._config = networks, config
        self.limits = Limits(rows_per_step=defaults.rows_per_step, slots=_SLOTS)

    @classmethod
    def load(cls, bundle: Bundle, session_config: SessionConfig) -> "VqSampler":
        """The VQ-GAN in a bundle. Raises `BundleRefused` where its manifest does not fit its networks."""
        manifest = bundle.manifest
        try:
            config = VqConfig.model_validate(manifest.network)
            defaults = VqDefaults.model_validate(manifest.defaults)
        except ValidationError as error:
            raise BundleRefused(manifest.name, explain(error)) from error
        if manifest.latent_spaces != (config.latent_space,):
            raise BundleRefused(manifest.name, "its latent space is not that of its network")
        image, places = (config.channels, config.height, config.width), config.places
        networks = {
            ENCODER: open_network(
                bundle, "encoder.onnx", session_config, {"image": image}, {"distances": (config.codes, *places)}
            ),
            DECODER: open_network(bundle, "decoder.onnx", session_config, {"codes": places}, {"image": image}),
        }
        return cls(manifest, networks, config, defaults)

    def cost(self, task: Task) -> Cost:
        """A row."""
        return Cost()

    def start(self, task: Task, rng: RequestRng) -> Coding | Picturing:
        """Check the task and read what it works on. Raises `InvalidRequest` and `UnsupportedTask`."""
        if task.kind not in self._tasks:
            raise UnsupportedTask(self._name, f"this VQ-GAN has no {task.kind}")
        refuse_unread(task)
        read_class(task.conditions, ())
        config = self._config
        if task.kind is TaskKind.ENCODE:
            pixels = read_pixels(task.source, config.image, f"items[{task.index}]")
            return Coding(task.index, pixels, config.space)
        if task.kind is TaskKind.DECODE:
            field = f"latents[{task.index}]"
            return Picturing(task.index, read_codes(task.source, config.latent_space, config.codes, field))
        raise UnsupportedTask(self._name, f"a VQ-GAN has no {task.kind}")


def warm_up(bundle: Bundle) -> Sequence[Task]:
    """Tasks that touch every code path once, of those that the bundle has."""
    config = VqConfig.model_validate(bundle.manifest.network)
    picture = Image(np.zeros((config.height, config.width, config.channels), np.uint8))
    tasks = (
        Task(TaskKind.ENCODE, seed=0, source=picture),
        Task(TaskKind.DECODE, seed=0, source=Latent(config.space, np.zeros(config.places, np.float32))),
    )
    return tuple(task for task in tasks if task.kind in bundle.manifest.tasks)
