"""StyleGAN as a sampler (Karras et al. 2019): styles that can be truncated, mixed, walked between and found again.

Its latent space is that of w, where paths are straight lines.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from sextant.bundles.manifest import LatentSpace, Manifest
from sextant.bundles.store import Bundle
from sextant.contract.errors import InvalidRequest, UnsupportedTask
from sextant.contract.media import Media
from sextant.contract.tasks import GanParameters, InterpolationPath, Task, TaskKind, Walk
from sextant.families.gan.config import GanDefaults, StyleConfig, read_config
from sextant.families.gan.inversion import Inverting
from sextant.families.gan.sampler import limits_of, read_generating, read_inverting
from sextant.families.gan.styles import MAPPING, SYNTHESIS, Styling
from sextant.families.gan.truncation import towards_mean
from sextant.families.labels import read_class
from sextant.families.latents import draw_end, draw_start, point_on, read_latent, read_walk
from sextant.families.row_network import RowNetwork
from sextant.families.row_states import Rows, RowSampler, RowState, open_network
from sextant.families.unread import refuse_unread
from sextant.runtime.rng import RequestRng
from sextant.runtime.sampler import Cost
from sextant.runtime.session import SessionConfig

State = Styling | Inverting

_NONE = np.zeros((0, 1), np.float32)  # nothing to be mapped
_MOST_DRAWN = 2  # styles of an item: two that are mixed, or both ends of a path
_FIRST_SPREAD = 0.5  # of the styles that an inversion tries first, around the mean


class StyleSampler(RowSampler):
    """A StyleGAN; see `runtime.sampler.Sampler`."""

    def __init__(
        self, manifest: Manifest, networks: Mapping[str, RowNetwork], config: StyleConfig, defaults: GanDefaults
    ) -> None:
        self._name, self._tasks, self._networks = manifest.name, manifest.tasks, networks
        self._config, self._defaults = config, defaults
        self._mean = np.array(config.mean_style, np.float32)
        self._space = LatentSpace(id=f"{manifest.name}/w", shape=(config.style_dim,))
        self.limits = limits_of(manifest, defaults, config.style_dim, _MOST_DRAWN)

    @classmethod
    def load(cls, bundle: Bundle, session_config: SessionConfig) -> "StyleSampler":
        """The StyleGAN in a bundle. Raises `BundleRefused` where its manifest does not fit its networks."""
        config, defaults = read_config(bundle.manifest, StyleConfig)
        z, w = {"z": (config.latent_dim,)}, {"w": (config.style_dim,)}
        styles = {"w": (config.layers, config.style_dim), "noise": (config.noise_dim,)}
        image = {"image": (config.channels, config.height, config.width)}
        networks = {
            MAPPING: open_network(bundle, "mapping.onnx", session_config, z, w),
            SYNTHESIS: open_network(bundle, "synthesis.onnx", session_config, styles, image),
        }
        return cls(bundle.manifest, networks, config, defaults)

    def cost(self, task: Task) -> Cost:
        """A row, two where two styles are drawn; for an inversion one more than a style has numbers."""
        if task.kind is TaskKind.ENCODE:
            return Cost(rows=self._config.style_dim + 1)
        mixes = isinstance(task.parameters, GanParameters) and task.parameters.mixing_layer is not None
        draws_both = task.walk is not None and len(_missing_ends(task.walk)) == _MOST_DRAWN
        return Cost(rows=_MOST_DRAWN if mixes or draws_both else 1)

    def start(self, task: Task, rng: RequestRng) -> State:
        """Check the task and draw or read what it starts from. Raises `InvalidRequest` and `UnsupportedTask`."""
        if task.kind not in self._tasks:
            raise UnsupportedTask(self._name, f"this GAN has no {task.kind}")
        read_class(task.conditions, ())
        match task.kind:
            case TaskKind.GENERATE:
                return self._drawing(task, rng)
            case TaskKind.DECODE:
                refuse_unread(task)
                field = f"latents[{task.index}]"
                w = read_latent(task.source, self._space, field)
                return self._styling(task, _NONE, lambda _: w, field)
            case TaskKind.INTERPOLATE:
                refuse_unread(task)
                return self._walking(task)
            case TaskKind.ENCODE:
                return self._inverting(task)
        raise UnsupportedTask(self._name, f"a GAN has no {task.kind}")

    def preview(self, state: RowState) -> Media | None:
        """How near an inversion has come."""
        return state.preview() if isinstance(state, Inverting) else None

    def _drawing(self, task: Task, rng: RequestRng) -> Styling:
        """A style; or two of them, the second from `mixing_layer` on (Karras et al. 2019, section 3.1)."""
        given, layers = read_generating(task, self._config.image), self._config.layers
        psi = self._defaults.truncation if given.truncation is None else given.truncation
        z, first = rng.normal("z", shape=(1, self._config.latent_dim)), given.mixing_layer
        if first is None:
            first = layers
        elif first < layers:
            z = np.concatenate([z, rng.normal("z/mixing", shape=z.shape)])
        else:
            raise InvalidRequest("gan.mixing_layer", f"must be from 0 to {layers - 1}, not {first}")

        def styles(w: NDArray[np.float32]) -> NDArray[np.float32]:
            chosen = [0 if layer < first else 1 for layer in range(layers)]
            return towards_mean(w, self._mean, psi)[chosen]

        return Styling(task.index, z, styles, rng.normal("noise", shape=(self._config.noise_dim,)))

    def _walking(self, task: Task) -> Styling:
        """A frame of a path. Ends that are not given are drawn as z and mapped first."""
        walk = read_walk(task)
        # What a path refuses it refuses here, with any ends: in the middle of a call it would fail its batch mates.
        point_on(walk, self._mean, self._mean, InterpolationPath.LINEAR)
        shape = (self._config.latent_dim,)
        given = {
            name: None if latent is None else read_latent(latent, self._space, f"{name}.latent")
            for name, latent in (("start", walk.start), ("end", walk.end))
        }
        missing = _missing_ends(walk)
        draws = {"start": draw_start, "end": draw_end}
        drawn = np.array([draws[name](task.seed, shape) for name in missing], np.float32).reshape(-1, *shape)

        def style(w: NDArray[np.float32]) -> NDArray[np.float32]:
            mapped = towards_mean(w, self._mean, self._defaults.truncation) if missing else ()
            ends = {**given, **dict(zip(missing, mapped, strict=True))}
            start = ends["start"]
            assert start is not None
            return point_on(walk, start, ends["end"], InterpolationPath.LINEAR)

        return self._styling(task, drawn, style, "end")

    def _styling(
        self,
        task: Task,
        drawn: NDArray[np.float32],
        style: Callable[[NDArray[np.float32]], NDArray[np.float32]],
        field: str,
    ) -> Styling:
        """One style in all layers; noise that belongs to the request, so that all frames share it."""

        def styles(w: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.repeat(style(w)[None], self._config.layers, axis=0)

        noise = RequestRng(task.seed).normal("noise", shape=(self._config.noise_dim,))
        return Styling(task.index, drawn, styles, noise, field)

    def _inverting(self, task: Task) -> Inverting:
        """In w, beginning near the mean style; the noise is left out."""
        target, steps = read_inverting(task, self._config.image, self._defaults)
        size = self._config.style_dim
        spread = RequestRng(task.seed).normal("inversion", shape=(size + 1, size))
        spread[0] = 0
        centre = self._mean.astype(np.float64)
        candidates = self._mean + np.float32(_FIRST_SPREAD) * spread
        return Inverting(task.index, target, self._space.id, candidates, centre, self._as_styles, steps, SYNTHESIS)

    def _as_styles(self, points: NDArray[np.float32]) -> Rows:
        styles = np.repeat(points[:, None], self._config.layers, axis=1)
        return {"w": styles, "noise": np.zeros((len(points), self._config.noise_dim), np.float32)}


def _missing_ends(walk: Walk) -> list[str]:
    """The ends of a path that are to be drawn; a traversal can do without its end."""
    missing = ["start"] if walk.start is None else []
    if walk.end is None and walk.traverse_index is None:
        missing.append("end")
    return missing
