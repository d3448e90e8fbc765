"""The image tower of a CLIP as a sampler: a picture to where its caption lies (Radford et al. 2021).

It writes to the space of the text encoder that it was trained to, so that a picture and a text have a cosine.
"""

from collections.abc import Sequence
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
from sextant.families.labels import read_class
from sextant.families.pixels import read_pixels
from sextant.families.row_network import RowNetwork
from sextant.families.row_states import Rows, RowSampler, open_network
from sextant.families.transformer.tower_config import TowerConfig
from sextant.families.unread import refuse_unread
from sextant.runtime.rng import RequestRng
from sextant.runtime.sampler import Cost, Limits
from sextant.runtime.session import SessionConfig

TOWER = "tower"
NETWORK_FILE = "tower.onnx"
_SLOTS = 256


@dataclass(slots=True)
class TowerState:
    """`pixels` float32[c, h, w] on their way to the latent space `space`."""

    index: int
    pixels: NDArray[np.float32]
    space: str
    embedding: NDArray[np.float32] | None = None
    done: bool = False
    steps_done: int = 0
    steps_total: int = 1
    network: str = TOWER

    def inputs(self) -> Rows:
        """The picture."""
        return {"image": self.pixels[None]}

    def take(self, outputs: Rows) -> None:
        """The vector [1, d]."""
        self.embedding = outputs["embedding"][0].copy()
        self.done, self.steps_done = True, 1

    def result(self) -> Result:
        """The vector as a latent."""
        if self.embedding is None:
            raise RuntimeError("the picture has not been encoded yet")
        return Result(self.index, Latent(self.space, self.embedding))


class TowerSampler(RowSampler):
    """See `runtime.sampler.Sampler`."""

    def __init__(self, manifest: Manifest, network: RowNetwork, config: TowerConfig) -> None:
        self._name, self._networks, self._config = manifest.name, {TOWER: network}, config
        self.limits = Limits(rows_per_step=config.rows_per_step, slots=_SLOTS)

    @classmethod
    def load(cls, bundle: Bundle, session_config: SessionConfig) -> "TowerSampler":
        """The tower in a bundle. Raises `BundleRefused` where its manifest does not fit its network."""
        manifest = bundle.manifest
        try:
            config = TowerConfig.model_validate(manifest.network)
        except ValidationError as error:
            raise BundleRefused(manifest.name, explain(error)) from error
        if manifest.latent_spaces != (config.latent_space,):
            raise BundleRefused(manifest.name, "its latent space is not that of its network")
        picture = (config.channels, config.height, config.width)
        network = open_network(
            bundle, NETWORK_FILE, session_config, {"image": picture}, {"embedding": (config.embedding,)}
        )
        return cls(manifest, network, config)

    def cost(self, task: Task) -> Cost:
        """A row."""
        return Cost()

    def start(self, task: Task, rng: RequestRng) -> TowerState:
        """Check the task and read the picture. Raises `InvalidRequest` and `UnsupportedTask`."""
        if task.kind is not TaskKind.ENCODE:
            raise UnsupportedTask(self._name, f"this tower looks at pictures; it has no {task.kind}")
        refuse_unread(task)
        read_class(task.conditions, ())
        pixels = read_pixels(task.source, self._config.image, f"items[{task.index}]")
        return TowerState(task.index, pixels, self._config.space)


def warm_up(bundle: Bundle) -> Sequence[Task]:
    """A task that touches every code path once."""
    config = TowerConfig.model_validate(bundle.manifest.network)
    picture = Image(np.zeros((config.height, config.width, config.channels), np.uint8))
    return (Task(TaskKind.ENCODE, seed=0, source=picture),)
