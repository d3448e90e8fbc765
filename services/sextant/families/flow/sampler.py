"""Flows as samplers: RealNVP of tables (Dinh et al. 2017), Glow of pictures (Kingma & Dhariwal 2018).

A picture takes one step for every task, two for Transform; a table as many as it has calls' worth of rows.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from sextant.bundles.manifest import LatentSpace
from sextant.bundles.store import Bundle
from sextant.bundles.verify import explain
from sextant.contract.errors import BundleRefused, InvalidRequest, UnsupportedTask
from sextant.contract.events import Estimator, Likelihood
from sextant.contract.media import Image, Latent, Media, Table
from sextant.contract.tasks import Conditions, FlowParameters, InterpolationPath, Task, TaskKind, Walk
from sextant.families.flow.attributes import Directions, load_directions, read_move
from sextant.families.flow.config import FlowDefaults, GlowNetworkConfig, read_network_config
from sextant.families.flow.domain import Domain
from sextant.families.flow.flow_state import FORWARD, INVERSE, Finish, FlowState
from sextant.families.flow.pictures import Pictures
from sextant.families.flow.tables import Tables
from sextant.families.labels import read_class
from sextant.families.latents import read_latent, read_walk, walked_to
from sextant.families.overflow import refuse_overflow
from sextant.families.row_network import RowNetwork
from sextant.families.row_states import Rows, RowSampler, open_network
from sextant.families.standard_normal import log_density
from sextant.families.unread import read_parameters, refuse_unread
from sextant.runtime.rng import RequestRng
from sextant.runtime.sampler import Cost, Limits
from sextant.runtime.session import SessionConfig

# Items that a replica holds at a time: a table of 4,096 rows or a picture each.
_SLOTS = 256
# Drawn together and whole, so that a row does not depend on how many follow; one by one, 4,096 take 0.1 s.
_ROWS_PER_DRAW = 64


class FlowSampler(RowSampler):
    """A flow, of tables or of pictures; see `runtime.sampler.Sampler`."""

    def __init__(
        self,
        name: str,
        tasks: Sequence[TaskKind],
        networks: Mapping[str, RowNetwork],
        domain: Domain,
        directions: Directions,
        defaults: FlowDefaults,
    ) -> None:
        self._name, self._tasks, self._networks = name, tasks, networks
        self._domain, self._directions, self._defaults = domain, directions, defaults
        self._space = LatentSpace(id=f"{name}/z", shape=(int(np.prod(domain.shape)),))
        self.limits = Limits(rows_per_step=defaults.rows_per_step, slots=_SLOTS)

    @classmethod
    def load(cls, bundle: Bundle, session_config: SessionConfig) -> "FlowSampler":
        """The flow in a bundle. Raises `BundleRefused` where its manifest does not fit its files."""
        manifest = bundle.manifest
        config = read_network_config(manifest)
        try:
            defaults = FlowDefaults.model_validate(manifest.defaults)
        except ValidationError as error:
            raise BundleRefused(manifest.name, explain(error)) from error
        domain: Domain
        if isinstance(config, GlowNetworkConfig):
            domain, directions = Pictures(config.image), load_directions(bundle, config)
        else:
            domain, directions = Tables(config.columns), {}
        if TaskKind.TRANSFORM in manifest.tasks and not directions:
            raise BundleRefused(manifest.name, "it promises to transform, but has no attributes")
        x, z = domain.shape, (int(np.prod(domain.shape)),)
        networks = {
            FORWARD: open_network(bundle, "forward.onnx", session_config, {"x": x}, {"z": z, "log_det": ()}),
            INVERSE: open_network(bundle, "inverse.onnx", session_config, {"z": z}, {"x": x}),
        }
        return cls(manifest.name, manifest.tasks, networks, domain, directions, defaults)

    def cost(self, task: Task) -> Cost:
        """The rows of the table or of its latent, as many as fit in a call."""
        rows = task.size.rows if task.kind is TaskKind.GENERATE else 1
        if isinstance(task.source, Table):
            rows = len(task.source.values)
        latents = (task.source, task.walk.start, task.walk.end) if task.walk is not None else (task.source,)
        for latent in latents:
            rows = max(rows, _rows_of(latent) or 1)
        return Cost(rows=min(max(1, rows), self.limits.rows_per_step))

    def start(self, task: Task, rng: RequestRng) -> FlowState:
        """Check the task and draw or read what it starts from. Raises `InvalidRequest` and `UnsupportedTask`."""
        if task.kind not in self._tasks:
            raise UnsupportedTask(self._name, f"this flow has no {task.kind}")
        read_class(task.conditions, ())
        match task.kind:
            case TaskKind.GENERATE:
                return self._to_data(task, self._drawn(task, rng), "flow.temperature")
            case TaskKind.DECODE:
                refuse_unread(task)
                field = f"latents[{task.index}]"
                return self._to_data(task, self._read_z(task.source, field), field)
            case TaskKind.INTERPOLATE:
                refuse_unread(task)
                return self._to_data(task, self._walked(task), "end")
            case TaskKind.ENCODE:
                refuse_unread(task)
                field = f"items[{task.index}]"
                x = self._domain.read(task.source, field)
                return self._state(task, FORWARD, x, partial(self._latent, field))
            case TaskKind.SCORE:
                refuse_unread(task)
                field = f"items[{task.index}]"
                x = self._domain.read_to_score(task.source, field)
                return self._state(task, FORWARD, x, partial(_likelihood, field, x.size))
            case TaskKind.TRANSFORM:
                return self._start_moving(task)
        raise UnsupportedTask(self._name, f"a flow has no {task.kind}")

    def _drawn(self, task: Task, rng: RequestRng) -> NDArray[np.float32]:
        """z[r, d] for Generate: row j depends on the item and on j alone."""
        refuse_unread(task, "parameters")
        if task.source is not None:
            raise InvalidRequest("source", "this model takes none to generate")
        given = read_parameters(task, FlowParameters, "flow")
        temperature = self._defaults.temperature if given.temperature is None else given.temperature
        rows = self._domain.asked_rows(task.size)
        block = min(_ROWS_PER_DRAW, self._domain.most_rows)
        draws = [rng.normal("z", index, (block, *self._space.shape)) for index in range(-(-rows // block))]
        return np.float32(temperature) * np.concatenate(draws)[:rows]

    def _read_z(self, media: Media | None, field: str) -> NDArray[np.float32]:
        """z[r, d] of a latent [d], or of [r, d] where it is of a table's rows."""
        return np.atleast_2d(read_latent(media, self._space_of(_rows_of(media)), field))

    def _walked(self, task: Task) -> NDArray[np.float32]:
        """z[r, d] of a frame. The rows of two tables walk side by side, each for itself."""
        walk = read_walk(task)
        rows = _rows_of(walk.start) or _rows_of(walk.end)
        return np.atleast_2d(walked_to(task, self._space_of(rows), InterpolationPath.SPHERICAL))

    def _space_of(self, rows: int | None) -> LatentSpace:
        """The latent space, of `rows` rows where that can be."""
        if rows is None or not 1 <= rows <= self._domain.most_rows:
            return self._space
        return LatentSpace(id=self._space.id, shape=(rows, *self._space.shape))

    def _to_data(self, task: Task, z: NDArray[np.float32], field: str) -> FlowState:
        """On to a table or picture; `field` is what led to z, to be blamed where it leads too far."""
        return self._state(task, INVERSE, z, partial(self._media, field))

    def _start_moving(self, task: Task) -> FlowState:
        """Transform: z of the picture, moved along the directions of attributes, and back."""
        refuse_unread(task, "conditions.attributes", "strength")
        x = self._domain.read(task.source, "source")
        move = read_move(task.conditions.attributes, self._directions)
        if task.strength is not None:
            move = np.float32(task.strength) * move
        return self._state(task, FORWARD, x, partial(self._media, "conditions.attributes"), move)

    def _state(
        self,
        task: Task,
        network: str,
        rows: NDArray[np.float32],
        finish: Finish,
        move: NDArray[np.float32] | None = None,
    ) -> FlowState:
        return FlowState(task.index, network, rows, self.limits.rows_per_step, finish, move)

    def _media(self, field: str, outputs: Rows) -> Media:
        refuse_overflow(outputs["x"], field)
        return self._domain.media(outputs["x"])

    def _latent(self, field: str, outputs: Rows) -> Latent:
        refuse_overflow(outputs["z"], field)
        z = outputs["z"]
        return Latent(self._space.id, z if len(z) > 1 else z[0])


def _likelihood(field: str, dimensions: int, outputs: Rows) -> Likelihood:
    """log N(z; 0, I) + log |det dz/dx|, the sum over rows in float64 (Rezende & Mohamed 2015, eq. 5)."""
    refuse_overflow(outputs["z"], field)
    refuse_overflow(outputs["log_det"], field)
    nats = log_density(outputs["z"]) + outputs["log_det"].astype(np.float64)
    return Likelihood(float(nats.sum()), dimensions, Estimator.EXACT)


def _rows_of(media: Media | None) -> int | None:
    """How many rows a latent [r, d] has; None for any other."""
    return len(media.mean) if isinstance(media, Latent) and media.mean.ndim == 2 else None


def warm_up(bundle: Bundle) -> Sequence[Task]:
    """Tasks that touch every code path once, of those that the bundle has."""
    config = read_network_config(bundle.manifest)
    example: Media
    if isinstance(config, GlowNetworkConfig):
        example = Image(np.zeros((config.height, config.width, config.channels), np.uint8))
        latents, attributes = config.latent_dim, dict.fromkeys(config.attributes, "0")
    else:
        example = Table(config.columns, np.zeros((1, len(config.columns)), np.float32))
        latents, attributes = len(config.columns), {}
    latent = Latent(f"{bundle.manifest.name}/z", np.zeros(latents, np.float32))
    tasks = (
        Task(TaskKind.GENERATE, seed=0),
        Task(TaskKind.ENCODE, seed=0, source=example),
        Task(TaskKind.DECODE, seed=0, source=latent),
        Task(TaskKind.INTERPOLATE, seed=0, walk=Walk(0.5)),
        Task(TaskKind.SCORE, seed=0, source=example),
        Task(TaskKind.TRANSFORM, seed=0, source=example, conditions=Conditions(attributes=attributes)),
    )
    return tuple(task for task in tasks if task.kind in bundle.manifest.tasks)
