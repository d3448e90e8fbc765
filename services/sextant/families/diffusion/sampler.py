"""Diffusion models as samplers (Ho et al. 2020): one network call is one denoising step of everyone who is on the way.

The network is told the noise level row by row, so requests at different steps, with different rules and guidance, share
its calls. Transform starts part of the way (SDEdit; Meng et al. 2022), and keeps what a mask says must stay.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sextant.bundles.manifest import Manifest
from sextant.bundles.store import Bundle
from sextant.contract.errors import BundleRefused, InvalidRequest, UnsupportedTask
from sextant.contract.media import Image, Media
from sextant.contract.tasks import DiffusionParameters, Size, Task, TaskKind
from sextant.families.diffusion.bound import ROWS, Bounding
from sextant.families.diffusion.config import DiffusionDefaults, PictureConfig, read_config
from sextant.families.diffusion.course import Array
from sextant.families.diffusion.denoiser import DenoisingSampler
from sextant.families.diffusion.denoising import Denoising, Known
from sextant.families.diffusion.prediction import Prediction
from sextant.families.labels import read_class
from sextant.families.pixels import ImageSpec, read_levels, read_pixels, to_image
from sextant.families.row_network import RowNetwork
from sextant.families.row_states import open_network
from sextant.families.unread import check_size, read_parameters, refuse_unread
from sextant.runtime.rng import RequestRng
from sextant.runtime.sampler import Cost, Limits
from sextant.runtime.session import SessionConfig

State = Denoising | Bounding


class DiffusionImageSampler(DenoisingSampler[PictureConfig]):
    """A denoising network of pictures."""

    def __init__(
        self, manifest: Manifest, network: RowNetwork, config: PictureConfig, defaults: DiffusionDefaults
    ) -> None:
        super().__init__(manifest, network, config, defaults)
        self.limits = Limits(max(self.limits.rows_per_step, ROWS + 1), self.limits.slots)

    @classmethod
    def load(cls, bundle: Bundle, session_config: SessionConfig) -> "DiffusionImageSampler":
        """The model in a bundle. Raises `BundleRefused` where its manifest does not fit its network."""
        config, defaults = read_config(bundle.manifest, PictureConfig)
        picture = (config.channels, config.height, config.width)
        inputs: dict[str, tuple[int, ...]] = {"x": picture, "t": (), "label": ()}
        if config.prediction is Prediction.FLOW and TaskKind.SCORE in bundle.manifest.tasks:
            raise BundleRefused(bundle.manifest.name, "the variational bound is not one of a flow-matching model")
        network = open_network(bundle, "denoiser.onnx", session_config, inputs, {"prediction": picture})
        return cls(bundle.manifest, network, config, defaults)

    def cost(self, task: Task) -> Cost:
        """A row, two where guidance asks twice; a bound looks at several noise levels at once."""
        if task.kind is TaskKind.SCORE:
            return Cost(rows=ROWS + 1)
        return super().cost(task)

    def start(self, task: Task, rng: RequestRng) -> State:
        """Check the task and draw what it starts from. Raises `InvalidRequest` and `UnsupportedTask`."""
        if task.kind not in self._tasks:
            raise UnsupportedTask(self._name, f"this diffusion model has no {task.kind}")
        given = read_parameters(task, DiffusionParameters, "diffusion")
        match task.kind:
            case TaskKind.GENERATE:
                return self._generating(task, given, rng)
            case TaskKind.TRANSFORM:
                return self._transforming(task, given, rng)
            case TaskKind.SCORE:
                return self._bounding(task, given)
        raise UnsupportedTask(self._name, f"a diffusion model has no {task.kind}")

    def _generating(self, task: Task, given: DiffusionParameters, rng: RequestRng) -> Denoising:
        refuse_unread(task, "parameters")
        if task.source is not None:
            raise InvalidRequest("source", "this model takes none to generate")
        spec = self._config.image
        check_size(task.size, Size(width_px=spec.width, height_px=spec.height))
        noise = rng.normal("diffusion/start", shape=(spec.channels, spec.height, spec.width))
        return self._denoising(task, given, rng, noise)

    def _transforming(self, task: Task, given: DiffusionParameters, rng: RequestRng) -> Denoising:
        refuse_unread(task, "parameters", "mask", "strength")
        spec = self._config.image
        source = read_pixels(task.source, spec, "source") * 2 - 1
        noise = rng.normal("diffusion/start", shape=source.shape)
        known = None if task.mask is None else Known(source, read_mask(task.mask, spec), noise)
        usual = self._defaults.strength if task.mask is None else 1.0
        strength = usual if task.strength is None else task.strength
        return self._denoising(task, given, rng, noise, source, known, strength)

    def _denoising(
        self,
        task: Task,
        given: DiffusionParameters,
        rng: RequestRng,
        noise: Array,
        source: Array | None = None,
        known: Known | None = None,
        strength: float = 1.0,
    ) -> Denoising:
        solver = self._solver(given)
        steps = self._steps(given)
        course = solver.course(self._bars, steps)
        first = 0 if source is None else steps - max(1, round(steps * strength))
        x = noise
        if source is not None and first > 0:
            x = np.float32(course.alpha[first]) * source + np.float32(course.sigma[first]) * noise
        return Denoising(
            task.index,
            x,
            course,
            solver,
            self._guidance(task.conditions, given, rng),
            self._config.prediction,
            rng,
            _show,
            first=first,
            known=known,
            clip=self._defaults.clip,
            preview_every=given.preview_every_steps,
        )

    def _bounding(self, task: Task, given: DiffusionParameters) -> Bounding:
        refuse_unread(task, "parameters")
        for name in ("sampler", "guidance", "eta"):
            if getattr(given, name) is not None:
                raise InvalidRequest(f"diffusion.{name}", "a bound on the likelihood has none")
        steps = self._defaults.score_steps if given.steps is None else given.steps
        most = (self._config.train_steps - 1) // ROWS
        if steps > most:
            raise InvalidRequest("diffusion.steps", f"must be at most {most} to score, {ROWS} noise levels each")
        levels = read_levels(task.source, self._config.image, f"items[{task.index}]", grey_must_be_grey=True)
        asked = task.conditions.class_label
        label = read_class(task.conditions, self._config.classes) if asked else len(self._config.classes)
        # Item 0 whatever the item's place: a picture's bound is its own.
        noise = RequestRng(task.seed)
        return Bounding(task.index, levels, label or 0, self._bars, self._config.prediction, noise, steps)


def read_mask(mask: Image, spec: ImageSpec) -> NDArray[np.float32]:
    """The mask as float32[1, h, w]: 1 where the picture may change. Raises `InvalidRequest`."""
    grey = ImageSpec(spec.height, spec.width, 1)
    try:
        return read_pixels(mask, grey, "mask")
    except InvalidRequest as refused:
        raise InvalidRequest("mask", refused.violations[0].description) from refused


def _show(x0: Array) -> Media:
    return to_image((x0 + 1) / 2, "diffusion")


def warm_up(bundle: Bundle) -> Sequence[Task]:
    """Tasks that touch every code path once, of those that the bundle has."""
    network = bundle.manifest.network
    picture = Image(np.zeros((network["height"], network["width"], network["channels"]), np.uint8))
    short = DiffusionParameters(steps=2)
    tasks = (
        Task(TaskKind.GENERATE, seed=0, parameters=short),
        Task(TaskKind.TRANSFORM, seed=0, source=picture, parameters=short),
        Task(TaskKind.SCORE, seed=0, source=picture, parameters=DiffusionParameters(steps=1)),
    )
    return tuple(task for task in tasks if task.kind in bundle.manifest.tasks)
