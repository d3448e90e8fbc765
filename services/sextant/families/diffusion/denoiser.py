"""What all diffusion models do alike, whatever they make: how a request says which way from noise it wants."""

from typing import Generic, TypeVar

from sextant.bundles.manifest import Manifest
from sextant.contract.errors import InvalidRequest
from sextant.contract.events import Result
from sextant.contract.media import Media
from sextant.contract.tasks import Conditions, DiffusionParameters, DiffusionSampler, Task
from sextant.families.diffusion.config import DiffusionDefaults, ProcessConfig
from sextant.families.diffusion.course import Solver
from sextant.families.diffusion.ddim import Ddim
from sextant.families.diffusion.ddpm import Ddpm
from sextant.families.diffusion.denoising import DENOISER, Denoising, Guidance, guided_to_class
from sextant.families.diffusion.dpm_solver import DpmSolver
from sextant.families.diffusion.euler import Euler
from sextant.families.diffusion.flow_euler import FlowEuler
from sextant.families.diffusion.schedule import alpha_bars
from sextant.families.labels import read_class
from sextant.families.row_network import RowNetwork
from sextant.families.row_states import RowSampler, RowState
from sextant.runtime.rng import RequestRng
from sextant.runtime.sampler import Cost, Limits

_SLOTS = 256

C = TypeVar("C", bound=ProcessConfig)


class DenoisingSampler(RowSampler, Generic[C]):
    """A denoising network; what it makes is its subclass's. See `runtime.sampler.Sampler`."""

    def __init__(self, manifest: Manifest, network: RowNetwork, config: C, defaults: DiffusionDefaults) -> None:
        self._name, self._tasks = manifest.name, manifest.tasks
        self._networks = {DENOISER: network}
        self._config, self._defaults = config, defaults
        self._bars = alpha_bars(config.schedule, config.train_steps, config.betas)
        self.limits = Limits(rows_per_step=defaults.rows_per_step, slots=_SLOTS)

    def cost(self, task: Task) -> Cost:
        """A row, two where guidance asks twice."""
        given = task.parameters if isinstance(task.parameters, DiffusionParameters) else DiffusionParameters()
        return Cost(rows=1 if not self._config.classes or self._scale(given) in (0, 1) else 2)

    def preview(self, state: RowState) -> Media | None:
        """The item as the network sees it now, where it was asked for."""
        return state.preview() if isinstance(state, Denoising) else None

    def partial(self, state: RowState) -> Result | None:
        """The item as the network sees it now."""
        return state.partial() if isinstance(state, Denoising) else None

    def _steps(self, given: DiffusionParameters) -> int:
        steps = self._defaults.steps if given.steps is None else given.steps
        if steps > self._config.train_steps:
            raise InvalidRequest("diffusion.steps", f"must be at most {self._config.train_steps}, what it learnt with")
        return steps

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
            return guided_to_class(0, 0, 1.0)
        label = read_class(conditions, self._config.classes, rng)
        return guided_to_class(none if label is None else label, none, self._scale(given))

    def _scale(self, given: DiffusionParameters) -> float:
        return self._defaults.guidance if given.guidance is None else given.guidance


_SOLVERS: dict[DiffusionSampler, Solver] = {
    DiffusionSampler.DDPM: Ddpm(),
    DiffusionSampler.EULER: Euler(),
    DiffusionSampler.DPM_SOLVER_PP_2M: DpmSolver(),
    DiffusionSampler.FLOW_EULER: FlowEuler(),
}
