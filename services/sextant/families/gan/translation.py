"""CycleGAN as a sampler (Zhu et al. 2017): a picture of one style to the same in the other, in one call."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sextant.bundles.manifest import Manifest
from sextant.bundles.store import Bundle
from sextant.contract.errors import InvalidRequest, UnsupportedTask
from sextant.contract.events import Result
from sextant.contract.tasks import Task, TaskKind
from sextant.families.gan.config import GanDefaults, TranslationConfig, read_config
from sextant.families.labels import read_class
from sextant.families.pixels import read_pixels, to_image
from sextant.families.row_network import RowNetwork
from sextant.families.row_states import Rows, RowSampler, open_network
from sextant.families.unread import refuse_unread
from sextant.runtime.rng import RequestRng
from sextant.runtime.sampler import Cost, Limits
from sextant.runtime.session import SessionConfig

_SLOTS = 256
_DIRECTION = "direction"


@dataclass(slots=True)
class Translating:
    """`pixels` float32[c, h, w] on their way through the generator of a direction."""

    index: int
    pixels: NDArray[np.float32]
    network: str
    made: NDArray[np.float32] | None = None
    done: bool = False
    steps_done: int = 0
    steps_total: int = 1

    def inputs(self) -> Rows:
        """The picture."""
        return {"image": self.pixels[None]}

    def take(self, outputs: Rows) -> None:
        """The picture in the other style [1, c, h, w]."""
        self.made = outputs["image_out"][0].copy()
        self.done, self.steps_done = True, 1

    def result(self) -> Result:
        """The picture."""
        if self.made is None:
            raise RuntimeError("the picture has not been translated yet")
        return Result(self.index, to_image(self.made))


class TranslationSampler(RowSampler):
    """A CycleGAN; see `runtime.sampler.Sampler`."""

    def __init__(
        self,
        manifest: Manifest,
        networks: Mapping[str, RowNetwork],
        config: TranslationConfig,
        defaults: GanDefaults,
    ) -> None:
        self._name, self._tasks, self._networks, self._config = manifest.name, manifest.tasks, networks, config
        self.limits = Limits(rows_per_step=defaults.rows_per_step, slots=_SLOTS)

    @classmethod
    def load(cls, bundle: Bundle, session_config: SessionConfig) -> "TranslationSampler":
        """The CycleGAN in a bundle. Raises `BundleRefused` where its manifest does not fit its networks."""
        config, defaults = read_config(bundle.manifest, TranslationConfig)
        shape = (config.channels, config.height, config.width)
        networks = {
            direction: open_network(bundle, file, session_config, {"image": shape}, {"image_out": shape})
            for direction, file in config.directions.items()
        }
        return cls(bundle.manifest, networks, config, defaults)

    def cost(self, task: Task) -> Cost:
        """A row."""
        return Cost()

    def start(self, task: Task, rng: RequestRng) -> Translating:
        """Check the task and read its picture. Raises `InvalidRequest` and `UnsupportedTask`."""
        if task.kind is not TaskKind.TRANSFORM or task.kind not in self._tasks:
            raise UnsupportedTask(self._name, f"this GAN translates pictures; it has no {task.kind}")
        refuse_unread(task, "conditions.attributes")
        read_class(task.conditions, ())
        return Translating(task.index, read_pixels(task.source, self._config.image, "source"), self._direction(task))

    def _direction(self, task: Task) -> str:
        known = list(self._config.directions)
        unknown = sorted(task.conditions.attributes.keys() - {_DIRECTION})
        if unknown:
            raise InvalidRequest("conditions.attributes", f"this model reads {_DIRECTION!r} alone, not {unknown[0]!r}")
        direction = task.conditions.attributes.get(_DIRECTION, known[0])
        if direction not in known:
            raise InvalidRequest("conditions.attributes", f"{_DIRECTION} must be one of {', '.join(known)}")
        return direction
