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
from sextant.contract.events import Result
from sextant.contract.media import Image, Media
from sextant.contract.tasks import Conditions, DiffusionParameters, DiffusionSampler, Size, Task, TaskKind
from sextant.families.diffusion.bound import ROWS, Bounding
from sextant.families.diffusion.config import DenoiserConfig, DiffusionDefaults, read_config
from sextant.families.diffusion.course import Array, Solver
from sextant.families.diffusion.ddim import Ddim
from sextant.families.diffusion.ddpm import Ddpm
from sextant.families.diffusion.denoising import DENOISER, Denoising, Guidance, Known
from sextant.families.diffusion.dpm_solver import DpmSolver
from sextant.families.diffusion.euler import Euler
from sextant.families.diffusion.flow_euler import FlowEuler
from sextant.families.diffusion.prediction import Prediction
from sextant.families.diffusion.schedule import alpha_bars
from sextant.families.labels import read_class
from sextant.families.pixels import ImageSpec, read_levels, read_pixels
from sextant.families.row_network import RowNetwork
from sextant.families.row_states import RowSampler, RowState, open_network
from sextant.families.unread import check_size, read_parameters, refuse_unread
from sextant.runtime.rng import RequestRng
from sextant.runtime.sampler import Cost, Limits
from sextant.runtime.session import SessionConfig

_SLOTS = 256

State = Denoising | Bounding


class DiffusionImageSampler(RowSampler):
    """A denoising network of pictures; see `runtime.sampler.Sampler`."""

    def __init__(
        self, manifest: Manifest, network: RowNetwork, config: DenoiserConfig, defaults: DiffusionDefaults
    ) -> None:
        self._name, self._tasks = manifest.name, manifest.tasks
        self._networks = {DENOISER: network}
        self._config, self._defaults = config, defaults
        self._bars = alpha_bars(config.schedule, config.train_steps)
        self.limits = Limits(rows_per_step=max(defaults.rows_per_step, ROWS + 1), slots=_SLOTS)

    @classmethod
    def load(cls, bundle: Bundle, session_config: SessionConfig) -> "DiffusionImageSampler":
        """The model in a bundle. Raises `BundleRefused` where its manifest does not fit its network."""
        config, defaults = read_config(bundle.manifest)
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
        given = task.parameters if isinstance(task.parameters, DiffusionParameters) else DiffusionParameters()
        return Cost(rows=1 if not self._config.classes or self._scale(given) in (0, 1) else 2)

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

    def preview(self, state: RowState) -> Media | None:
        """The picture as the network sees it now, where it was asked for."""
        return state.preview() if isinstance(state, Denoising) else None

    def partial(self, state: RowState) -> Result | None:
        """The picture as the network sees it now."""
        return state.partial() if isinstance(state, Denoising) else None

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
        steps = self._defaults.steps if given.steps is None else given.steps
        if steps > self._config.train_steps:
            raise InvalidRequest("diffusion.steps", f"must be at most {self._config.train_steps}, what it learnt with")
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

    def _solver(self, given: DiffusionParameters) -> Solver:
        sampler = self._defaults.sampler if given.sampler is None else given.sampler
        if sampler not in self._config.samplers:
            known = ", ".join(self._config.samplers)
            raise InvalidRequest("diffusion.sampler", f"{sampler} does not fit this model; it has {known}")
        if given.eta is not None and sampler is not DiffusionSampler.DDIM:
            raise InvalidRequest("diffusion.eta", f"is DDIM's; {sampler} has none")
        eta = self._defaults.eta if given.eta is None else given.eta
        return _SOLVERS.get(sampler) or Ddim(eta)

    def _guidance(self, conditions: Conditions, given: DiffusionParameters, rng: RequestRng) -> Guidance:
        none = len(self._config.classes)
        if not none:
            if given.guidance is not None:
                raise InvalidRequest("diffusion.guidance", "this model has no classes to be guided to")
            read_class(conditions, ())
            return Guidance(0, 0, 1.0)
        label = read_class(conditions, self._config.classes, rng)
        return Guidance(none if label is None else label, none, self._scale(given))

    def _scale(self, given: DiffusionParameters) -> float:
        return self._defaults.guidance if given.guidance is None else given.guidance


_SOLVERS: dict[DiffusionSampler, Solver] = {
    DiffusionSampler.DDPM: Ddpm(),
    DiffusionSampler.EULER: Euler(),
    DiffusionSampler.DPM_SOLVER_PP_2M: DpmSolver(),
    DiffusionSampler.FLOW_EULER: FlowEuler(),
}


def read_mask(mask: Image, spec: ImageSpec) -> NDArray[np.float32]:
    """The mask as float32[1, h, w]: 1 where the picture may change. Raises `InvalidRequest`."""
    grey = ImageSpec(spec.height, spec.width, 1)
    try:
        return read_pixels(mask, grey, "mask")
    except InvalidRequest as refused:
        raise InvalidRequest("mask", refused.violations[0].description) from refused


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
