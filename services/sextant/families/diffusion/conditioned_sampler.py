"""Denoisers that are conditioned on embeddings, as samplers: of pictures, of latents, of vectors.

A sequence is attended to (Rombach et al. 2022, "High-resolution image synthesis with latent diffusion models", section
3.3), a vector is told with the time (Ramesh et al. 2022, "Hierarchical text-conditional image generation with CLIP
latents"), and a small picture is enlarged beside what is denoised (Ho et al. 2022, "Cascaded diffusion models").
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sextant.bundles.manifest import LatentSpace
from sextant.bundles.store import Bundle
from sextant.contract.errors import BundleRefused, InvalidRequest, UnsupportedTask
from sextant.contract.media import Image, Latent, Media
from sextant.contract.tasks import Conditions, DiffusionParameters, Size, Task, TaskKind
from sextant.families.diffusion.conditioned_config import ConditionedConfig
from sextant.families.diffusion.config import read_config
from sextant.families.diffusion.course import Array
from sextant.families.diffusion.denoiser import DenoisingSampler
from sextant.families.diffusion.denoising import Denoising, Guidance, Known, guided
from sextant.families.labels import read_class
from sextant.families.latents import finite_float32, read_latent
from sextant.families.overflow import refuse_overflow
from sextant.families.pixels import read_mask, read_pixels, to_image
from sextant.families.row_states import Rows, open_network
from sextant.families.unread import check_size, read_parameters, refuse_unread
from sextant.runtime.rng import RequestRng
from sextant.runtime.sampler import Cost
from sextant.runtime.session import SessionConfig

_TASKS = (TaskKind.GENERATE, TaskKind.TRANSFORM)


class ConditionedSampler(DenoisingSampler[ConditionedConfig]):
    """A denoising network with conditions, which are read out of `conditions.media` by their spaces."""

    @classmethod
    def load(cls, bundle: Bundle, session_config: SessionConfig) -> "ConditionedSampler":
        """The model in a bundle. Raises `BundleRefused` where its manifest does not fit its network."""
        config, defaults = read_config(bundle.manifest, ConditionedConfig)
        manifest = bundle.manifest
        if set(config.latent_spaces) != set(manifest.latent_spaces):
            raise BundleRefused(manifest.name, "its latent spaces are not those of its network")
        inputs: dict[str, tuple[int, ...]] = {"x": config.shape, "t": ()}
        if config.context is not None:
            inputs["context"] = (config.context.tokens, config.context.width)
            if config.context.masked:
                inputs["mask"] = (config.context.tokens,)
        if config.vector is not None:
            inputs["vector"] = (config.vector.width,)
        if config.given is not None:
            inputs["given"] = config.shape
        network = open_network(bundle, "denoiser.onnx", session_config, inputs, {"prediction": config.shape})
        return cls(manifest, network, config, defaults)

    def cost(self, task: Task) -> Cost:
        """A row, two where guidance asks twice."""
        given = task.parameters if isinstance(task.parameters, DiffusionParameters) else DiffusionParameters()
        guides = self._config.context is not None or self._config.vector is not None
        return Cost(rows=2 if guides and self._scale(given) not in (0, 1) else 1)

    def start(self, task: Task, rng: RequestRng) -> Denoising:
        """Check the task and draw what it starts from. Raises `InvalidRequest` and `UnsupportedTask`."""
        if task.kind not in self._tasks or task.kind not in _TASKS:
            raise UnsupportedTask(self._name, f"this diffusion model has no {task.kind}")
        transforms = task.kind is TaskKind.TRANSFORM
        read = ("parameters", "conditions.media", "conditions.negative")
        refuse_unread(task, *read, *(("mask", "strength") if transforms else ()))
        read_class(task.conditions, ())
        given = read_parameters(task, DiffusionParameters, "diffusion")
        if task.source is not None and not transforms:
            raise InvalidRequest("source", "this model takes none to generate")
        spec = self._config.image
        check_size(task.size, Size() if spec is None else Size(width_px=spec.width, height_px=spec.height))
        noise = rng.normal("diffusion/start", shape=self._config.shape)
        source = self._source(task.source) if transforms else None
        mask = None if task.mask is None or source is None else self._free(task.mask)
        known = None if source is None or mask is None else Known(source, mask, noise)
        usual = self._defaults.strength if mask is None else 1.0
        return self._denoising(task, given, rng, noise, source, known, task.strength or usual)

    def _denoising(
        self,
        task: Task,
        given: DiffusionParameters,
        rng: RequestRng,
        noise: Array,
        source: Array | None,
        known: Known | None,
        strength: float,
    ) -> Denoising:
        solver, steps = self._solver(given), self._steps(given)
        course = solver.course(self._bars, steps, self._config.stops)
        first = 0 if source is None else steps - max(1, round(steps * strength))
        x = noise
        if source is not None and first > 0:
            x = np.float32(course.alpha[first]) * source + np.float32(course.sigma[first]) * noise
        return Denoising(
            task.index,
            x,
            course,
            solver,
            self._led(task.conditions, given),
            self._config.prediction,
            rng,
            self._show(),
            first=first,
            known=known,
            clip=self._defaults.clip,
            preview_every=given.preview_every_steps,
            told={} if self._config.given is None else {"given": self._enlarged(task.conditions)},
        )

    def _led(self, conditions: Conditions, given: DiffusionParameters) -> Guidance:
        """What the network is told in each row."""
        config, scale = self._config, self._scale(given)
        self._refuse_strangers(conditions)
        if config.context is None and config.vector is None:
            if given.guidance is not None:
                raise InvalidRequest("diffusion.guidance", "this model has nothing to be guided to")
            return guided({}, None, 1.0)
        to = self._told(conditions.media, "conditions.media")
        if to is None:
            wanted = " and ".join(space.id for space in config.latent_spaces if space.condition)
            raise InvalidRequest("conditions.media", f"must hold a latent of {wanted}")
        away = self._told(conditions.negative, "conditions.negative") or self._nothing()
        if away is None and scale != 1:
            raise InvalidRequest("conditions.negative", "must say what guidance leads away from; or let it be 1")
        return guided(to, away, scale)

    def _told(self, media: Sequence[Media], field: str) -> Rows | None:
        """The embeddings among `media` as inputs of the network; None where one that it needs is not there."""
        rows: dict[str, NDArray[np.float32]] = {}
        if (context := self._config.context) is not None:
            found = _latent_of(media, context.space)
            if found is None:
                return None
            rows["context"], mask = self._padded(found, field)
            if context.masked:
                rows["mask"] = mask
        if (vector := self._config.vector) is not None:
            found = _latent_of(media, vector.space)
            if found is None:
                return None
            rows["vector"] = read_latent(found, LatentSpace(id=vector.space, shape=(vector.width,)), field)
        return rows

    def _nothing(self) -> Rows | None:
        """What the network learnt to take for no condition; None where it learnt none."""
        rows: dict[str, NDArray[np.float32]] = {}
        if (context := self._config.context) is not None:
            if not context.masked:
                return None
            rows["context"] = np.zeros((context.tokens, context.width), np.float32)
            rows["mask"] = np.zeros(context.tokens, np.float32)
        if (vector := self._config.vector) is not None:
            rows["vector"] = np.zeros(vector.width, np.float32)
        return rows

    def _padded(self, latent: Latent, field: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """A sequence float32[tokens, width] with zeros behind its end, and 1 where it is: float32[tokens]."""
        context = self._config.context
        assert context is not None
        shape = latent.mean.shape
        fits = len(shape) == 2 and shape[1] == context.width and 0 < shape[0] <= context.tokens
        if not fits or (shape[0] < context.tokens and not context.masked):
            wanted = f"{'at most ' if context.masked else ''}{context.tokens} vectors of {context.width}"
            raise InvalidRequest(field, f"holds a latent of {context.space} {list(shape)}; the model reads {wanted}")
        padded = np.zeros((context.tokens, context.width), np.float32)
        padded[: shape[0]] = finite_float32(latent.mean, field)
        return padded, (np.arange(context.tokens) < shape[0]).astype(np.float32)

    def _enlarged(self, conditions: Conditions) -> Array:
        """The small picture among the conditions, at the size of what is made, in [-1, 1]."""
        small, spec = self._config.given, self._config.image
        assert small is not None
        assert spec is not None
        pictures = [medium for medium in conditions.media if not isinstance(medium, Latent)]
        if len(pictures) != 1:
            raise InvalidRequest("conditions.media", "must hold the one picture that is to be enlarged")
        pixels = read_pixels(pictures[0], small.image, "conditions.media[0]") * 2 - 1
        return pixels.repeat(spec.height // small.height, 1).repeat(spec.width // small.width, 2)

    def _refuse_strangers(self, conditions: Conditions) -> None:
        """`InvalidRequest` for media that the network would not be told."""
        known = {space.id for space in self._config.latent_spaces if space.condition}
        for field, media in (("conditions.media", conditions.media), ("conditions.negative", conditions.negative)):
            for medium in media:
                if isinstance(medium, Latent) and medium.space not in known:
                    raise InvalidRequest(field, f"holds a latent of {medium.space}; the model reads {_listed(known)}")
                if not isinstance(medium, Latent) and self._config.given is None:
                    raise InvalidRequest(field, f"must hold latents of {_listed(known)} and nothing else")

    def _source(self, media: Media | None) -> Array:
        """What Transform starts from, as the network sees it."""
        spec, latent = self._config.image, self._config.latent
        if spec is not None:
            return read_pixels(media, spec, "source") * 2 - 1
        assert latent is not None
        z = read_latent(media, LatentSpace(id=latent.space, shape=latent.shape), "source.latent")
        return np.float32(latent.scale) * (z - np.float32(latent.shift))

    def _free(self, mask: Image) -> Array:
        """[1, h, w]: 1 where the mask lets something change; a larger mask lets whatever it touches."""
        shape = self._config.shape
        if len(shape) != 3:
            raise InvalidRequest("mask", "this model has no places to mask")
        return read_mask(mask, shape[1], shape[2])[None]

    def _show(self) -> Callable[[Array], Media]:
        latent = self._config.latent
        if latent is None:
            return lambda x0: to_image((x0 + 1) / 2, "diffusion")

        def show(x0: Array) -> Media:
            refuse_overflow(x0, "diffusion")
            return Latent(latent.space, x0 / np.float32(latent.scale) + np.float32(latent.shift))

        return show


def _latent_of(media: Sequence[Media], space: str) -> Latent | None:
    return next((medium for medium in media if isinstance(medium, Latent) and medium.space == space), None)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def warm_up(bundle: Bundle) -> Sequence[Task]:
    """Tasks that touch every code path once, of those that the bundle has."""
    config = ConditionedConfig.model_validate(bundle.manifest.network)
    media: list[Media] = []
    if config.context is not None:
        media.append(Latent(config.context.space, np.zeros((config.context.tokens, config.context.width), np.float32)))
    if config.vector is not None:
        media.append(Latent(config.vector.space, np.zeros(config.vector.width, np.float32)))
    latents = tuple(media)
    if config.given is not None:
        media.append(Image(np.zeros((config.given.height, config.given.width, config.given.channels), np.uint8)))
    conditions = Conditions(media=tuple(media), negative=latents)
    source: Media = Latent("", np.zeros(0, np.float32))
    if config.latent is not None:
        source = Latent(config.latent.space, np.zeros(config.latent.shape, np.float32))
    elif config.image is not None:
        source = Image(np.zeros((config.image.height, config.image.width, config.image.channels), np.uint8))
    short = DiffusionParameters(steps=2)
    tasks = (
        Task(TaskKind.GENERATE, seed=0, conditions=conditions, parameters=short),
        Task(TaskKind.TRANSFORM, seed=0, conditions=conditions, source=source, parameters=short),
    )
    return tuple(task for task in tasks if task.kind in bundle.manifest.tasks)
