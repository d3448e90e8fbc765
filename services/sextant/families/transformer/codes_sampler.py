"""A transformer over codes of pictures as a sampler: a place a step, from nothing, from a part, or from words.

Requests at whatever places share each call: a row's memory has room for all places from the start, and what is not
there yet is hidden, so its bytes are the same in any company. Words are read once, in a step of their own, and lie
before the places in the same memory. Guidance asks a second row that is told none (Ho & Salimans 2022).
"""

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from sextant.bundles.manifest import Manifest
from sextant.bundles.store import Bundle
from sextant.bundles.verify import explain
from sextant.contract.errors import BundleRefused, InvalidRequest, UnsupportedTask
from sextant.contract.events import Result
from sextant.contract.media import Image, Latent, Media
from sextant.contract.tasks import CodeParameters, Conditions, Size, Task, TaskKind
from sextant.families.codes import read_codes
from sextant.families.labels import read_class
from sextant.families.latents import finite_float32
from sextant.families.pixels import read_mask
from sextant.families.row_network import RowNetwork
from sextant.families.row_states import open_network
from sextant.families.transformer.codes_config import CodesConfig, CodesDefaults
from sextant.families.transformer.codes_drawing import Drawing, Words
from sextant.families.transformer.kv_slots import KvSlots
from sextant.families.transformer.sampling import SamplingParameters, TokenChooser
from sextant.families.unread import check_size, read_parameters, refuse_unread
from sextant.runtime.rng import RequestRng
from sextant.runtime.sampler import Cost, Limits
from sextant.runtime.session import SessionConfig

PLACE, READER = "place", "reader"
PLACE_FILE, READER_FILE = "place.onnx", "reader.onnx"
_SLOTS_A_ROW = 2  # of maps that wait between steps, for one that steps


class CodeSampler:
    """See `runtime.sampler.Sampler`."""

    def __init__(
        self, manifest: Manifest, networks: Mapping[str, RowNetwork], config: CodesConfig, defaults: CodesDefaults
    ) -> None:
        self._name, self._tasks = manifest.name, manifest.tasks
        self._networks, self._config, self._defaults = networks, config, defaults
        rows = defaults.rows_per_step
        self.limits = Limits(rows_per_step=rows, slots=_SLOTS_A_ROW * rows)
        heads, places, head_dim = config.cache
        # The first rows of a cache lie in one piece, and are handed over as they are.
        self._pool = KvSlots(len(config.caches), self.limits.slots, heads, places, head_dim)
        self._chooser = TokenChooser(config.codes)

    @classmethod
    def load(cls, bundle: Bundle, session_config: SessionConfig) -> "CodeSampler":
        """The model in a bundle. Raises `BundleRefused` where its manifest does not fit its networks."""
        manifest = bundle.manifest
        try:
            config = CodesConfig.model_validate(manifest.network)
            defaults = CodesDefaults.model_validate(manifest.defaults)
        except ValidationError as error:
            raise BundleRefused(manifest.name, explain(error)) from error
        if manifest.latent_spaces != config.latent_spaces:
            raise BundleRefused(manifest.name, "its latent spaces are not those of its network")
        kept, head_dim = len(config.caches) * config.heads, config.head_dim
        inputs: dict[str, tuple[int, ...]] = {"code": (), "position": (), **dict.fromkeys(config.caches, config.cache)}
        networks = {}
        if config.words is not None:
            inputs["length"] = ()
            states = {"states": (config.words.tokens, config.words.width), "length": ()}
            offered = {"offered": (kept, config.words.tokens, head_dim)}
            networks[READER] = open_network(bundle, READER_FILE, session_config, states, offered)
        made = {"logits": (config.codes,), "new": (kept, head_dim)}
        networks[PLACE] = open_network(bundle, PLACE_FILE, session_config, inputs, made)
        return cls(manifest, networks, config, defaults)

    def cost(self, task: Task) -> Cost:
        """A row and its slot, two where guidance asks twice."""
        given = task.parameters if isinstance(task.parameters, CodeParameters) else CodeParameters()
        rows = 2 if self._config.words is not None and self._scale(given) not in (0, 1) else 1
        return Cost(rows=rows, slots=rows)

    def start(self, task: Task, rng: RequestRng) -> Drawing:
        """Check the task and take its slots. Raises `InvalidRequest` and `UnsupportedTask`."""
        if task.kind not in self._tasks or task.kind not in (TaskKind.GENERATE, TaskKind.TRANSFORM):
            raise UnsupportedTask(self._name, f"this transformer makes codes; it has no {task.kind}")
        config, transforms = self._config, task.kind is TaskKind.TRANSFORM
        reads_words = config.words is not None
        refuse_unread(
            task, "parameters", *(("conditions.media",) if reads_words else ()), *(("mask",) if transforms else ())
        )
        read_class(task.conditions, ())
        check_size(task.size, Size())
        asked = read_parameters(task, CodeParameters, "codes")
        if asked.guidance is not None and not reads_words:
            raise InvalidRequest("codes.guidance", "this model has nothing to be guided to")
        codes, given = self._source(task)
        scale = self._scale(asked) if reads_words else 1.0
        words = self._words(task.conditions)
        words = None if scale == 0 else words
        # Taken last: nothing is refused from here on.
        slots = tuple(self._pool.acquire() for _ in range(self.cost(task).slots))
        defaults = self._defaults
        return Drawing(
            task.index,
            config.space,
            codes,
            given,
            slots,
            words,
            0 if words is None else words.length,
            scale,
            SamplingParameters(
                temperature=defaults.temperature if asked.temperature is None else asked.temperature,
                top_k=defaults.top_k if asked.top_k is None else asked.top_k,
                top_p=defaults.top_p if asked.top_p is None else asked.top_p,
            ),
            rng,
            before=config.codes,
            preview_every=asked.preview_every_steps,
        )

    def group(self, state: Drawing) -> Hashable:
        """Those that read go together, and those that draw."""
        return PLACE if state.words is None else READER

    def step(self, states: Sequence[Drawing]) -> None:
        """The words of each are read, or a place of each is drawn."""
        if states[0].words is None:
            self._draw(states)
        else:
            self._read(states)

    def delta(self, state: Drawing) -> None:
        """None: a map comes whole."""
        return

    def preview(self, state: Drawing) -> Media | None:
        """The codes so far, where they were asked for."""
        return state.preview()

    def partial(self, state: Drawing) -> Result | None:
        """The codes so far."""
        return state.partial()

    def result(self, state: Drawing) -> Result:
        """The codes."""
        return state.result()

    def release(self, state: Drawing) -> None:
        """Free its slots."""
        for slot in state.slots:
            self._pool.release(slot)

    def _read(self, states: Sequence[Drawing]) -> None:
        words = [state.words for state in states if state.words is not None]
        offered = self._networks[READER].run(
            {
                "states": np.stack([one.states for one in words]),
                "length": np.array([one.length for one in words], np.int64),
            }
        )["offered"]
        for state, one in zip(states, offered, strict=True):
            slot, overflows = state.slots[0], not np.isfinite(one).all()
            if not overflows:  # what is not a number would show through to whoever has this row next
                self._pool.memory[:, slot.row, :, : self._config.read] = self._by_cache(one)
                slot.length = self._config.read
            state.take_reading(overflows)

    def _draw(self, states: Sequence[Drawing]) -> None:
        self._pool.arrange([slot for state in states for slot in state.slots])
        rows = sum(len(state.slots) for state in states)
        code, position, length = (np.zeros(rows, np.int64) for _ in range(3))
        for state in states:
            at = [slot.row for slot in state.slots]
            code[at], position[at] = state.code_before, state.place
            length[at[0]] = state.length
        memory = zip(self._config.caches, self._pool.memory, strict=True)
        fed = {"code": code, "position": position, **{name: cache[:rows] for name, cache in memory}}
        if READER in self._networks:
            fed["length"] = length
        outputs = self._networks[PLACE].run(fed)
        for state in states:
            at = [slot.row for slot in state.slots]
            self._keep(state, outputs["new"][at], outputs["logits"][at])

    def _keep(self, state: Drawing, new: NDArray[np.float32], logits: NDArray[np.float32]) -> None:
        overflows = not (np.isfinite(new).all() and np.isfinite(logits).all())
        if not overflows:
            place = self._config.read + state.place
            for slot, one in zip(state.slots, new, strict=True):
                self._pool.memory[:, slot.row, :, place] = self._by_cache(one)
                slot.length = place + 1
        state.take(logits, self._chooser, overflows)

    def _by_cache(self, kept: NDArray[np.float32]) -> NDArray[np.float32]:
        """[caches heads, ...] -> [caches, heads, ...]."""
        return kept.reshape(len(self._config.caches), self._config.heads, *kept.shape[1:])

    def _scale(self, asked: CodeParameters) -> float:
        return self._defaults.guidance if asked.guidance is None else asked.guidance

    def _source(self, task: Task) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The codes to begin with, and which of them stay."""
        config = self._config
        if task.kind is TaskKind.GENERATE:
            if task.source is not None:
                raise InvalidRequest("source", "this model takes none to generate")
            return np.zeros(config.places, np.int64), np.zeros(config.places, bool)
        if task.mask is None:
            raise InvalidRequest("mask", "is required: what it leaves white is drawn, the rest is kept")
        codes = read_codes(task.source, config.latent_space, config.codes, "source")
        given = read_mask(task.mask, *config.places) == 0
        if given.all():
            raise InvalidRequest("mask", "is black all over: there is nothing to draw")
        return np.where(given, codes, 0), given

    def _words(self, conditions: Conditions) -> Words | None:
        """The states among the conditions; None for a model that is told none."""
        part = self._config.words
        if part is None:
            return None
        field = "conditions.media"
        found = [one for one in conditions.media if isinstance(one, Latent) and one.space == part.space]
        if len(found) != 1 or len(conditions.media) != 1:
            raise InvalidRequest(field, f"must hold a latent of {part.space}, and nothing else")
        shape = found[0].mean.shape
        if len(shape) != 2 or shape[1] != part.width or not 0 < shape[0] <= part.tokens:
            wanted = f"at most {part.tokens} vectors of {part.width}"
            raise InvalidRequest(field, f"holds a latent of {part.space} {list(shape)}; the model reads {wanted}")
        states = np.zeros((part.tokens, part.width), np.float32)
        states[: shape[0]] = finite_float32(found[0].mean, field)
        return Words(states, shape[0])


def warm_up(bundle: Bundle) -> Sequence[Task]:
    """Tasks that touch every code path once."""
    config = CodesConfig.model_validate(bundle.manifest.network)
    conditions, parameters = Conditions(), CodeParameters()
    if config.words is not None:
        states = np.zeros((1, config.words.width), np.float32)
        conditions = Conditions(media=(Latent(config.words.space, states),))
        parameters = CodeParameters(guidance=2.0)
    first = np.zeros((*config.places, 1), np.uint8)
    first.flat[0] = 255
    source = Latent(config.space, np.zeros(config.places, np.float32))
    return (
        Task(TaskKind.GENERATE, seed=0, conditions=conditions, parameters=parameters),
        Task(TaskKind.TRANSFORM, seed=0, source=source, mask=Image(first), conditions=conditions),
    )
