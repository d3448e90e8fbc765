"""VAEs as samplers (Kingma & Welling 2014): Generate, Encode, Decode and Interpolate take a step, Score several."""

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import ValidationError

from sextant.bundles.manifest import LatentSpace
from sextant.bundles.store import Bundle
from sextant.bundles.verify import explain
from sextant.contract.errors import BundleRefused, InvalidRequest, UnsupportedTask
from sextant.contract.media import Image, Latent
from sextant.contract.tasks import Conditions, InterpolationPath, Size, Task, TaskKind, VaeParameters, Walk
from sextant.families.decoding import Decoding
from sextant.families.labels import read_class
from sextant.families.latents import read_latent, walked_to
from sextant.families.pixels import read_levels, read_pixels
from sextant.families.row_network import RowNetwork
from sextant.families.row_states import RowSampler, open_network
from sextant.families.unread import check_size, read_parameters, refuse_unread
from sextant.families.vae.config import VaeDefaults, VaeNetworkConfig
from sextant.families.vae.encoding import ENCODER, Encoding
from sextant.families.vae.scoring import DECODER, Scoring, draws_for
from sextant.runtime.rng import RequestRng
from sextant.runtime.sampler import Cost, Limits
from sextant.runtime.session import SessionConfig

ARCHITECTURES = frozenset({"vae", "beta-vae", "cvae"})  # one to serve; they differ in how they were trained

# Items that a replica holds at a time: a picture each, and when scored one call's samples.
_SLOTS = 256

State = Encoding | Decoding | Scoring


class VaeSampler(RowSampler):
    """A VAE, conditional or not; see `runtime.sampler.Sampler`."""

    def __init__(
        self,
        name: str,
        tasks: Sequence[TaskKind],
        networks: Mapping[str, RowNetwork],
        config: VaeNetworkConfig,
        defaults: VaeDefaults,
    ) -> None:
        self._name, self._tasks, self._networks = name, tasks, networks
        self._config, self._defaults = config, defaults
        self._space = LatentSpace(id=f"{name}/z", shape=(config.latent_dim,))
        self.limits = Limits(rows_per_step=defaults.rows_per_step, slots=_SLOTS)

    @classmethod
    def load(cls, bundle: Bundle, session_config: SessionConfig) -> "VaeSampler":
        """The VAE in a bundle. Raises `BundleRefused` where its manifest does not fit its networks."""
        manifest = bundle.manifest
        if manifest.architecture not in ARCHITECTURES:
            known = ", ".join(sorted(ARCHITECTURES))
            reason = f"VAEs of architecture {manifest.architecture!r} are unknown; known: {known}"
            raise BundleRefused(manifest.name, reason)
        try:
            config = VaeNetworkConfig.model_validate(manifest.network)
            defaults = VaeDefaults.model_validate(manifest.defaults)
        except ValidationError as error:
            raise BundleRefused(manifest.name, explain(error)) from error
        label: dict[str, tuple[int, ...]] = {"label": ()} if config.classes else {}
        image, z = (config.channels, config.height, config.width), (config.latent_dim,)
        networks = {
            ENCODER: open_network(
                bundle, "encoder.onnx", session_config, {"image": image, **label}, {"mean": z, "log_variance": z}
            ),
            DECODER: open_network(bundle, "decoder.onnx", session_config, {"z": z, **label}, {"image": image}),
        }
        return cls(manifest.name, manifest.tasks, networks, config, defaults)

    def cost(self, task: Task) -> Cost:
        """A row, except for Score: a row for each sample of a call, as many as fit."""
        if task.kind is not TaskKind.SCORE:
            return Cost()
        given = task.parameters.importance_samples if isinstance(task.parameters, VaeParameters) else None
        return Cost(rows=self._rows_of_score(given or self._defaults.importance_samples))

    def start(self, task: Task, rng: RequestRng) -> State:
        """Check the task and draw or read what it starts from. Raises `InvalidRequest` and `UnsupportedTask`."""
        if task.kind not in self._tasks:
            raise UnsupportedTask(self._name, f"this VAE has no {task.kind}")
        match task.kind:
            case TaskKind.GENERATE:
                return self._start_generating(task, rng)
            case TaskKind.ENCODE:
                refuse_unread(task)
                pixels = read_pixels(task.source, self._config.image, f"items[{task.index}]")
                return Encoding(task.index, pixels, self._label(task), self._space.id)
            case TaskKind.DECODE:
                refuse_unread(task)
                z = read_latent(task.source, self._space, f"latents[{task.index}]")
                return Decoding(task.index, z, self._label(task), DECODER)
            case TaskKind.INTERPOLATE:
                refuse_unread(task)
                z = walked_to(task, self._space, InterpolationPath.SPHERICAL)
                # Drawn, if it is not said, from item 0: all frames are of one class.
                label = read_class(task.conditions, self._config.classes, RequestRng(task.seed))
                return Decoding(task.index, z, label, DECODER)
            case TaskKind.SCORE:
                return self._start_scoring(task)
        raise UnsupportedTask(self._name, f"a VAE has no {task.kind}")

    def _start_generating(self, task: Task, rng: RequestRng) -> Decoding:
        refuse_unread(task, "parameters")
        if task.source is not None:
            raise InvalidRequest("source", "this model takes none to generate")
        given = read_parameters(task, VaeParameters, "vae")
        if given.importance_samples is not None:
            raise InvalidRequest("vae.importance_samples", "are for scoring")
        check_size(task.size, Size(width_px=self._config.width, height_px=self._config.height))
        temperature = self._defaults.temperature if given.temperature is None else given.temperature
        z = np.float32(temperature) * rng.normal("z", shape=self._space.shape)
        return Decoding(task.index, z, read_class(task.conditions, self._config.classes, rng), DECODER)

    def _start_scoring(self, task: Task) -> Scoring:
        refuse_unread(task, "parameters")
        given = read_parameters(task, VaeParameters, "vae")
        if given.temperature is not None:
            raise InvalidRequest("vae.temperature", "is for generating")
        samples = given.importance_samples or self._defaults.importance_samples
        levels = read_levels(task.source, self._config.image, f"items[{task.index}]")
        # Item 0 whatever the item's place: the score of a picture must not depend on what it is scored with.
        rng, rows = RequestRng(task.seed), self._rows_of_score(samples)
        return Scoring(task.index, levels, self._label(task), rng, samples, rows, self._config.scale)

    def _label(self, task: Task) -> int | None:
        return read_class(task.conditions, self._config.classes)

    def _rows_of_score(self, importance_samples: int) -> int:
        return min(draws_for(importance_samples), self.limits.rows_per_step)


def warm_up(bundle: Bundle) -> Sequence[Task]:
    """Tasks that touch every code path once, of those that the bundle has."""
    config = VaeNetworkConfig.model_validate(bundle.manifest.network)
    conditions = Conditions(class_label=config.classes[0] if config.classes else "")
    picture = Image(np.zeros((config.height, config.width, config.channels), np.uint8))
    latent = Latent(f"{bundle.manifest.name}/z", np.zeros(config.latent_dim, np.float32))
    tasks = (
        Task(TaskKind.GENERATE, seed=0),
        Task(TaskKind.ENCODE, seed=0, source=picture, conditions=conditions),
        Task(TaskKind.DECODE, seed=0, source=latent, conditions=conditions),
        Task(TaskKind.INTERPOLATE, seed=0, walk=Walk(0.5), conditions=conditions),
        Task(TaskKind.SCORE, seed=0, source=picture, conditions=conditions),
    )
    return tuple(task for task in tasks if task.kind in bundle.manifest.tasks)
