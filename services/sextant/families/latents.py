"""Points of latent spaces: reading those of a request, and walking from one to another."""

import numpy as np
from numpy.typing import NDArray

from sextant.bundles.manifest import LatentSpace
from sextant.contract.errors import InvalidRequest
from sextant.contract.media import Latent, Media
from sextant.contract.tasks import InterpolationPath, Task, Walk
from sextant.contract.violations import quoted
from sextant.runtime.rng import RequestRng

# How far a traversal without an end goes to either side, in standard deviations of the prior.
_TRAVERSAL_REACH = 3.0
# Below this sine the plane of the great arc is lost in rounding; the straight line is as good then.
_LEAST_SINE = 1e-6


def read_latent(media: Media | None, space: LatentSpace, field: str) -> NDArray[np.float32]:
    """The point float32[space.shape] at `field` ("latents[0]", "start.latent"); of a distribution, its mean.

    Raises `InvalidRequest` where it is of another space or shape, or not finite.
    """
    if not isinstance(media, Latent):
        raise InvalidRequest(field, f"must hold a latent of {space.id}")
    if media.space != space.id:
        raise InvalidRequest(f"{field}.space", f"is {quoted(media.space)}; the model reads {space.id}")
    if media.mean.shape != space.shape:
        reason = f"is {list(media.mean.shape)}; latents of {space.id} are {list(space.shape)}"
        raise InvalidRequest(f"{field}.mean.shape", reason)
    return finite_float32(media.mean, f"{field}.mean.data")


def finite_float32(values: NDArray[np.floating], field: str) -> NDArray[np.float32]:
    """`values` as float32. Raises `InvalidRequest` where one is not finite, or not any more as float32."""
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    if not np.isfinite(narrow).all():
        raise InvalidRequest(field, "must be finite and within what float32 holds")
    return narrow


def draw_start(seed: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Where a walk starts that gives no start: standard normal, the same for all frames of a request."""
    return RequestRng(seed).normal("walk/start", shape=shape)


def draw_end(seed: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Where a walk ends that gives no end."""
    return RequestRng(seed).normal("walk/end", shape=shape)


def read_walk(task: Task) -> Walk:
    """The walk of a task of kind Interpolate. Raises `InvalidRequest` where it has none."""
    if task.walk is None:
        raise InvalidRequest("start", "interpolating takes a walk")
    return task.walk


def walked_to(task: Task, space: LatentSpace, default_path: InterpolationPath) -> NDArray[np.float32]:
    """The point float32[space.shape] of an Interpolate task, in a space whose prior is standard normal.

    Absent ends are drawn from the request's seed. Raises `InvalidRequest`.
    """
    walk = read_walk(task)
    given, shape = walk.start, space.shape
    start = draw_start(task.seed, shape) if given is None else read_latent(given, space, "start.latent")
    return point_on(walk, start, _end_of(walk, task.seed, space), default_path)


def point_on(
    walk: Walk, start: NDArray[np.float32], end: NDArray[np.float32] | None, default_path: InterpolationPath
) -> NDArray[np.float32]:
    """Where `walk` is at its position between float32[..., d]: exactly `start` at 0, exactly `end` at 1.

    Each vector of the last axis walks for itself. A traversal moves one coordinate of it alone, on a straight line, to
    that of `end`; from -3 to 3 where `end` is None, which only a traversal may leave out. Raises `InvalidRequest`
    where there is no such coordinate.
    """
    if walk.traverse_index is not None:
        return _traversed(walk.traverse_index, walk.position, start, end)
    if end is None:
        raise ValueError("only a traversal has no end")
    a, b, t = start.astype(np.float64), end.astype(np.float64), walk.position
    spherical = (walk.path or default_path) is InterpolationPath.SPHERICAL
    point = _slerp(a, b, t) if spherical else _lerp(a, b, t)
    return point.astype(np.float32)


def _end_of(walk: Walk, seed: int, space: LatentSpace) -> NDArray[np.float32] | None:
    if walk.end is not None:
        return read_latent(walk.end, space, "end.latent")
    return None if walk.traverse_index is not None else draw_end(seed, space.shape)


def _traversed(
    index: int, position: float, start: NDArray[np.float32], end: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    coordinates = start.shape[-1]
    if not 0 <= index < coordinates:
        raise InvalidRequest("traverse_index", f"must be from 0 to {coordinates - 1}, not {index}")
    low = start[..., index] if end is not None else np.float32(-_TRAVERSAL_REACH)
    high = end[..., index] if end is not None else np.float32(_TRAVERSAL_REACH)
    point = start.copy()
    point[..., index] = _lerp(np.asarray(low, np.float64), np.asarray(high, np.float64), position)
    return point


def _lerp(a: NDArray[np.float64], b: NDArray[np.float64], t: float) -> NDArray[np.float64]:
    return (1 - t) * a + t * b


def _slerp(a: NDArray[np.float64], b: NDArray[np.float64], t: float) -> NDArray[np.float64]:
    """Along the great arc, norms included (Shoemake 1985; for latents White 2016); straight where there is no arc."""
    lengths = np.linalg.norm(a, axis=-1, keepdims=True) * np.linalg.norm(b, axis=-1, keepdims=True)
    cosine = (a * b).sum(axis=-1, keepdims=True) / np.where(lengths > 0, lengths, 1)
    angle = np.arccos(np.clip(cosine, -1, 1))
    sine = np.sin(angle)
    has_arc = (lengths > 0) & (sine >= _LEAST_SINE)
    arc = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.where(has_arc, sine, 1)
    return np.where(has_arc, arc, _lerp(a, b, t))
