"""GANs from z to a picture as samplers (Goodfellow et al. 2014): DCGAN, ProGAN, BigGAN.

Generate, Decode and Interpolate take a step; Encode, by inversion, as many as it is given.
"""

import numpy as np
from numpy.typing import NDArray

from sextant.bundles.manifest import LatentSpace, Manifest
from sextant.bundles.store import Bundle
from sextant.contract.errors import BundleRefused, InvalidRequest, UnsupportedTask
from sextant.contract.media import Media
from sextant.contract.tasks import GanParameters, InterpolationPath, Size, Task, TaskKind
from sextant.families.decoding import Decoding
from sextant.families.gan.config import GanDefaults, GeneratorConfig, read_config
from sextant.families.gan.inversion import Inverting
from sextant.families.gan.truncation import truncated_normal
from sextant.families.labels import read_class
from sextant.families.latents import read_latent, walked_to
from sextant.families.pixels import ImageSpec, read_pixels
from sextant.families.row_network import RowNetwork
from sextant.families.row_states import Rows, RowSampler, RowState, open_network
from sextant.families.unread import check_size, read_parameters, refuse_unread
from sextant.runtime.rng import RequestRng
from sextant.runtime.sampler import Cost, Limits
from sextant.runtime.session import SessionConfig

# Items that a replica holds at a time: a picture each.
SLOTS = 256

GENERATOR = "generator"

State = Decoding | Inverting


class GeneratorSampler(RowSampler):
    """A generator, conditional or not; see `runtime.sampler.Sampler`."""

    def __init__(self, manifest: Manifest, network: RowNetwork, config: GeneratorConfig, defaults: GanDefaults) -> None:
        self._name, self._tasks = manifest.name, manifest.tasks
        self._networks = {GENERATOR: network}
        self._config, self._defaults = config, defaults
        self._space = LatentSpace(id=f"{manifest.name}/z", shape=(config.latent_dim,))
        self.limits = limits_of(manifest, defaults, config.latent_dim)

    @classmethod
    def load(cls, bundle: Bundle, session_config: SessionConfig) -> "GeneratorSampler":
        """The generator in a bundle. Raises `BundleRefused` where its manifest does not fit its network."""
        config, defaults = read_config(bundle.manifest, GeneratorConfig)
        if config.classes and TaskKind.ENCODE in bundle.manifest.tasks:
            raise BundleRefused(bundle.manifest.name, "a latent has no place for a class, so it cannot encode")
        label: dict[str, tuple[int, ...]] = {"label": ()} if config.classes else {}
        image = (config.channels, config.height, config.width)
        z = {"z": (config.latent_dim,), **label}
        network = open_network(bundle, "generator.onnx", session_config, z, {"image": image})
        return cls(bundle.manifest, network, config, defaults)

    def cost(self, task: Task) -> Cost:
        """A row; for an inversion one more than the latent has numbers."""
        return Cost(rows=self._config.latent_dim + 1 if task.kind is TaskKind.ENCODE else 1)

    def start(self, task: Task, rng: RequestRng) -> State:
        """Check the task and draw or read what it starts from. Raises `InvalidRequest` and `UnsupportedTask`."""
        if task.kind not in self._tasks:
            raise UnsupportedTask(self._name, f"this GAN has no {task.kind}")
        match task.kind:
            case TaskKind.GENERATE:
                given = read_generating(task, self._config.image)
                if given.mixing_layer is not None:
                    raise InvalidRequest("gan.mixing_layer", "this model has no styles to mix")
                psi = self._defaults.truncation if given.truncation is None else given.truncation
                z = truncated_normal(rng, "z", self._config.latent_dim, psi)
                return Decoding(task.index, z, read_class(task.conditions, self._config.classes, rng), GENERATOR)
            case TaskKind.DECODE:
                refuse_unread(task)
                field = f"latents[{task.index}]"
                return self._making(task, read_latent(task.source, self._space, field), field)
            case TaskKind.INTERPOLATE:
                refuse_unread(task)
                return self._making(task, walked_to(task, self._space, InterpolationPath.SPHERICAL), "end")
            case TaskKind.ENCODE:
                return self._inverting(task)
        raise UnsupportedTask(self._name, f"a GAN has no {task.kind}")

    def preview(self, state: RowState) -> Media | None:
        """How near an inversion has come."""
        return state.preview() if isinstance(state, Inverting) else None

    def _making(self, task: Task, z: NDArray[np.float32], field: str) -> Decoding:
        # Item 0 whatever the item's place: all frames of a path are of one class.
        label = read_class(task.conditions, self._config.classes, RequestRng(task.seed))
        return Decoding(task.index, z, label, GENERATOR, field)

    def _inverting(self, task: Task) -> Inverting:
        target, steps = read_inverting(task, self._config.image, self._defaults)
        dimensions = self._config.latent_dim
        candidates = RequestRng(task.seed).normal("inversion", shape=(dimensions + 1, dimensions))
        candidates[0] = 0
        centre = np.zeros(dimensions)
        return Inverting(task.index, target, self._space.id, candidates, centre, _as_z, steps, GENERATOR)


def limits_of(manifest: Manifest, defaults: GanDefaults, latent_dim: int, fewest_rows: int = 1) -> Limits:
    """At least `fewest_rows`, and those of one inversion where the bundle can encode."""
    inversion = latent_dim + 1 if TaskKind.ENCODE in manifest.tasks else 1
    return Limits(rows_per_step=max(defaults.rows_per_step, inversion, fewest_rows), slots=SLOTS)


def read_generating(task: Task, image: ImageSpec) -> GanParameters:
    """The parameters of a Generate, everything else checked. Raises `InvalidRequest`."""
    refuse_unread(task, "parameters")
    if task.source is not None:
        raise InvalidRequest("source", "this model takes none to generate")
    check_size(task.size, Size(width_px=image.width, height_px=image.height))
    given = read_parameters(task, GanParameters, "gan")
    if given.inversion_steps is not None:
        raise InvalidRequest("gan.inversion_steps", "are for encoding")
    return given


def read_inverting(task: Task, image: ImageSpec, defaults: GanDefaults) -> tuple[NDArray[np.float32], int]:
    """The picture float32[c, h, w] to be encoded, and in how many steps. Raises `InvalidRequest`."""
    refuse_unread(task, "parameters")
    given = read_parameters(task, GanParameters, "gan")
    for name in ("truncation", "mixing_layer"):
        if getattr(given, name) is not None:
            raise InvalidRequest(f"gan.{name}", "is for generating")
    target = read_pixels(task.source, image, f"items[{task.index}]")
    return target, given.inversion_steps or defaults.inversion_steps


def _as_z(points: NDArray[np.float32]) -> Rows:
    return {"z": points}
