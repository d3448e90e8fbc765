"""PixelCNN as a sampler (van den Oord et al. 2016): a step is a row of pixels, each drawn given all before it.

A row costs one call of the vertical network and one of the horizontal network for each pixel; what they need of the
past is kept, so nothing is worked out twice. Requests at different rows share all of these calls. Likelihoods are
exact, and take one call for the whole picture. Who has a picture completed without saying of what class it is has the
class drawn first, given the pixels that are kept; see `class_posterior`.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sextant.bundles.manifest import Manifest
from sextant.bundles.store import Bundle
from sextant.contract.errors import InvalidRequest, UnsupportedTask
from sextant.contract.events import Estimator, Likelihood, Result
from sextant.contract.media import Image, Media
from sextant.contract.tasks import AutoregressiveParameters, Size, Task, TaskKind
from sextant.families.autoregressive.defaults import AutoregressiveDefaults
from sextant.families.autoregressive.drawing import drawing, log_shares
from sextant.families.autoregressive.pixel_config import PixelCnnConfig, read_config
from sextant.families.labels import read_class
from sextant.families.pixels import ImageSpec, image_of_levels, read_levels
from sextant.families.row_network import RowNetwork
from sextant.families.row_states import open_network
from sextant.families.unread import check_size, read_parameters, refuse_unread
from sextant.runtime.rng import RequestRng
from sextant.runtime.sampler import Cost, Limits
from sextant.runtime.session import SessionConfig

_SLOTS = 256
_LEVELS = 256
_WHITE = 255
_COLUMNS_KEPT = 2
_FEWEST_ROWS = {"row": 1}  # it multiplies by as many rows as a picture has columns

Networks = dict[str, RowNetwork]


@dataclass(slots=True, eq=False)
class Painting:
    """`levels` uint8[h, w], whole down to row `row`; `given` bool[h, w] says which are not to be drawn.

    `kept` float32[layers, features, w] is what the vertical network needs of the rows above. `label` None is drawn
    first, given what is kept, which is a step of its own.
    """

    index: int
    levels: NDArray[np.uint8]
    given: NDArray[np.bool_]
    label: int | None
    temperature: float
    top_p: float
    rng: RequestRng
    kept: NDArray[np.float32]
    row: int = 0
    done: bool = False
    steps_done: int = 0
    steps_total: int = field(init=False)

    def __post_init__(self) -> None:
        self.steps_total = len(self.levels) + (self.label is None)

    def picture(self) -> Image:
        """The rows so far, the rest as they were given, or black."""
        return image_of_levels(self.levels[None])


@dataclass(slots=True, eq=False)
class Weighing:
    """`levels` uint8[1, h, w] whose likelihood is asked for, the mean over classes `labels` where several."""

    index: int
    levels: NDArray[np.uint8]
    labels: tuple[int, ...]
    nats: float = 0.0
    done: bool = False
    steps_done: int = 0
    steps_total: int = 1


State = Painting | Weighing


class PixelCnnSampler:
    """A PixelCNN; see `runtime.sampler.Sampler`."""

    def __init__(
        self, manifest: Manifest, networks: Networks, config: PixelCnnConfig, defaults: AutoregressiveDefaults
    ) -> None:
        self._name, self._tasks = manifest.name, manifest.tasks
        self._networks, self._config, self._defaults = networks, config, defaults
        rows = max(defaults.rows_per_step, len(config.classes))
        self.limits = Limits(rows_per_step=rows, slots=_SLOTS)

    @classmethod
    def load(cls, bundle: Bundle, session_config: SessionConfig) -> "PixelCnnSampler":
        """The model in a bundle. Raises `BundleRefused` where its manifest does not fit its networks."""
        c, defaults = read_config(bundle.manifest)
        told, rows = (c.layers, 2 * c.features), (c.layers, c.features, c.width)
        columns = (c.layers, c.features, _COLUMNS_KEPT)
        shapes: dict[str, tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]] = {
            "picture": ({"level": (1, c.height, c.width), "label": ()}, {"logits": (_LEVELS, c.height, c.width)}),
            "row": (
                {"above": (c.above, c.width), "kept": rows, "label": ()},
                {"told": (c.width, *told), "kept_out": rows},
            ),
            "pixel": (
                {"left": (c.left,), "told": told, "kept": columns, "label": ()},
                {"logits": (_LEVELS,), "kept_out": columns},
            ),
        }
        networks = {
            name: open_network(bundle, f"{name}.onnx", session_config, inputs, outputs, _FEWEST_ROWS.get(name, 2))
            for name, (inputs, outputs) in shapes.items()
        }
        return cls(bundle.manifest, networks, c, defaults)

    def cost(self, task: Task) -> Cost:
        """A row; one of each class where a picture is weighed and its class is not told."""
        if task.kind is TaskKind.SCORE and not task.conditions.class_label:
            return Cost(rows=max(1, len(self._config.classes)))
        return Cost()

    def start(self, task: Task, rng: RequestRng) -> State:
        """Check the task. Raises `InvalidRequest` and `UnsupportedTask`."""
        if task.kind not in self._tasks:
            raise UnsupportedTask(self._name, f"this PixelCNN has no {task.kind}")
        spec = self._config.image
        match task.kind:
            case TaskKind.GENERATE:
                refuse_unread(task, "parameters")
                if task.source is not None:
                    raise InvalidRequest("source", "this model takes none to generate")
                check_size(task.size, Size(width_px=spec.width, height_px=spec.height))
                shape = (spec.height, spec.width)
                return self._painting(task, np.zeros(shape, np.uint8), np.zeros(shape, bool), rng)
            case TaskKind.TRANSFORM:
                refuse_unread(task, "parameters", "mask")
                if task.mask is None:
                    raise InvalidRequest("mask", "is required: what it leaves white is drawn, the rest is kept")
                given = _kept(task.mask, spec)
                levels = np.where(given, read_levels(task.source, spec, "source")[0], 0).astype(np.uint8)
                return self._painting(task, levels, given, rng)
            case TaskKind.SCORE:
                refuse_unread(task)
                levels = read_levels(task.source, spec, f"items[{task.index}]", grey_must_be_grey=True)
                classes = self._config.classes
                label = read_class(task.conditions, classes) if task.conditions.class_label else None
                every = tuple(range(max(1, len(classes))))
                return Weighing(task.index, levels, every if label is None else (label,))
        raise UnsupportedTask(self._name, f"a PixelCNN has no {task.kind}")

    def group(self, state: State) -> Hashable:
        """Those that paint go together, at whatever row; so do those that are weighed.

        A class is drawn alone: it takes a row of each class, once, and its picture is no dearer than another after it.
        """
        if isinstance(state, Painting) and state.label is None:
            return state
        return isinstance(state, Painting)

    def step(self, states: Sequence[State]) -> None:
        """A row of each picture, or the class of one, or the likelihood of each."""
        painting = [state for state in states if isinstance(state, Painting)]
        if not painting:
            self._weigh([state for state in states if isinstance(state, Weighing)])
        elif painting[0].label is None:
            self._draw_class(painting[0])
        else:
            self._paint(painting)

    def delta(self, state: State) -> None:
        """None: a picture comes whole."""
        return

    def preview(self, state: State) -> Media | None:
        """None: half a picture is seldom wanted."""
        return None

    def partial(self, state: State) -> Result | None:
        """The rows so far."""
        return Result(state.index, state.picture()) if isinstance(state, Painting) and state.row else None

    def result(self, state: State) -> Result:
        """The picture, or its likelihood."""
        if isinstance(state, Painting):
            return Result(state.index, state.picture())
        return Result(state.index, Likelihood(state.nats, state.levels.size, Estimator.EXACT))

    def release(self, state: State) -> None:
        """Nothing to free: a state holds only its own arrays."""

    def _painting(self, task: Task, levels: NDArray[np.uint8], given: NDArray[np.bool_], rng: RequestRng) -> Painting:
        asked = read_parameters(task, AutoregressiveParameters, "autoregressive")
        c = self._config
        told = task.conditions.class_label or not given.any() or len(c.classes) == 1
        return Painting(
            task.index,
            levels,
            given,
            read_class(task.conditions, c.classes, rng) if told else None,
            self._defaults.temperature if asked.temperature is None else asked.temperature,
            self._defaults.top_p if asked.top_p is None else asked.top_p,
            rng,
            np.zeros((c.layers, c.features, c.width), np.float32),
        )

    def _draw_class(self, state: Painting) -> None:
        """The class, given the pixels that are kept."""
        every = np.arange(len(self._config.classes))
        level = np.repeat(state.levels[None, None].astype(np.float32), len(every), 0)
        fed: dict[str, NDArray[Any]] = {"level": level, "label": every}
        posterior = class_posterior(self._networks["picture"].run(fed)["logits"], state.levels, state.given)
        passed = np.cumsum(posterior) <= float(state.rng.uniform("class"))
        state.label = min(int(passed.sum()), len(every) - 1)
        state.steps_done += 1

    def _paint(self, states: Sequence[Painting]) -> None:
        label = np.array([state.label for state in states], np.int64)
        outputs = self._networks["row"].run(
            {
                "above": np.stack([self._above(state) for state in states]),
                "kept": np.stack([state.kept for state in states]),
                "label": label,
            }
        )
        for state, kept in zip(states, outputs["kept_out"], strict=True):
            state.kept = kept.copy()
        open_rows = [place for place, state in enumerate(states) if not state.given[state.row].all()]
        if open_rows:
            self._draw_row([states[place] for place in open_rows], outputs["told"][open_rows], label[open_rows])
        for state in states:
            state.row += 1
            state.steps_done += 1
            state.done = state.steps_done == state.steps_total

    def _draw_row(self, states: Sequence[Painting], told: NDArray[np.float32], label: NDArray[np.int64]) -> None:
        """The pixels of one row of each, from left to right; told[b, w, layers, 2 features]."""
        c = self._config
        # A lone row is run twice over, see `RowNetwork`: once for all pixels.
        company, told, label = (states, told, label) if len(states) > 1 else _twice(states, told, label)
        count = len(company)
        told = np.ascontiguousarray(told.swapaxes(0, 1))
        uniform = np.stack([state.rng.uniform("pixel", state.row, (c.width,)) for state in company], 1)
        draw = drawing(np.array([state.temperature for state in company]), np.array([state.top_p for state in company]))
        given = np.stack([state.given[state.row] for state in company], 1)
        levels = np.stack([state.levels[state.row] for state in company], 1)
        seen = np.zeros((count, c.left + c.width), np.float32)
        kept = np.zeros((count, c.layers, c.features, _COLUMNS_KEPT), np.float32)
        pixel = self._networks["pixel"]
        for column in range(c.width):
            outputs = pixel.run(
                {"left": seen[:, column : column + c.left], "told": told[column], "kept": kept, "label": label}
            )
            kept = outputs["kept_out"]
            np.copyto(levels[column], draw(outputs["logits"], uniform[column]), "unsafe", where=~given[column])
            np.divide(levels[column], np.float32(_WHITE), out=seen[:, c.left + column], dtype=np.float32)
        for place, state in enumerate(states):
            state.levels[state.row] = levels[:, place]

    def _above(self, state: Painting) -> NDArray[np.float32]:
        """The rows above in [0, 1], the nearest last: [above, w]; black beyond the edge."""
        c, row = self._config, state.row
        rows = np.zeros((c.above, c.width), np.float32)
        known = min(c.above, row)
        if known:
            rows[-known:] = state.levels[row - known : row].astype(np.float32) / np.float32(_WHITE)
        return rows

    def _weigh(self, states: Sequence[Weighing]) -> None:
        """p(x), or where the class is not told the mean of p(x | class), which is p(x) where all are as likely."""
        levels = np.concatenate([np.repeat(state.levels[None], len(state.labels), 0) for state in states])
        label = np.array([label for state in states for label in state.labels], np.int64)
        logits = self._networks["picture"].run({"level": levels.astype(np.float32), "label": label})["logits"]
        first = 0
        for state in states:
            said = logits[first : first + len(state.labels)]
            whole = state.levels[None].astype(np.int64)
            nats = np.array([np.take_along_axis(log_shares(one, axis=0), whole[0], axis=0).sum() for one in said])
            state.nats = float(nats.max() + np.log(np.exp(nats - nats.max()).mean()))
            state.done, state.steps_done = True, 1
            first += len(said)


def class_posterior(
    logits: NDArray[np.float32], levels: NDArray[np.uint8], given: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """p(class | kept pixels), float64[classes], from logits[classes, 256, h, w] of `levels` under each class.

    Bayes' rule with classes as likely as each other: proportional to the product over kept pixels of p(pixel | those
    before it, class). Exact where all that is kept comes before all that is drawn, as with the upper half of a
    picture; elsewhere the drawn ones before a kept one are taken for black, which makes it an estimate.
    """
    whole = levels[None].astype(np.int64)
    nats = np.array([np.take_along_axis(log_shares(one, axis=0), whole, axis=0)[0][given].sum() for one in logits])
    shares = np.exp(nats - nats.max())
    posterior: NDArray[np.float64] = shares / shares.sum()
    return posterior


def _twice(
    states: Sequence[Painting], told: NDArray[np.float32], label: NDArray[np.int64]
) -> tuple[Sequence[Painting], NDArray[np.float32], NDArray[np.int64]]:
    return [*states, *states], np.repeat(told, 2, 0), np.repeat(label, 2)


def _kept(mask: Image, spec: ImageSpec) -> NDArray[np.bool_]:
    """Where the mask is black: bool[h, w]. Raises `InvalidRequest`."""
    try:
        levels = read_levels(mask, ImageSpec(spec.height, spec.width, 1), "mask")[0]
    except InvalidRequest as refused:
        raise InvalidRequest("mask", refused.violations[0].description) from refused
    if not np.isin(levels, (0, _WHITE)).all():
        raise InvalidRequest("mask", "must be black and white: a pixel is drawn or it is kept")
    kept: NDArray[np.bool_] = levels == 0
    return kept


def warm_up(bundle: Bundle) -> Sequence[Task]:
    """Tasks that touch every code path once, of those that the bundle has."""
    network = bundle.manifest.network
    picture = Image(np.zeros((network["height"], network["width"], 1), np.uint8))
    tasks = (
        Task(TaskKind.GENERATE, seed=0),
        Task(TaskKind.SCORE, seed=0, source=picture),
    )
    return tuple(task for task in tasks if task.kind in bundle.manifest.tasks)
