"""WaveNet as a sampler (van den Oord et al. 2016): a step is a frame of samples, each drawn given all before it.

What each layer saw lies in a ring as long as its dilation (Paine et al. 2016, "Fast WaveNet generation algorithm"), so
a sample costs one pass over one sample. Requests at any place of their sounds share the calls. A frame goes out as soon
as it is made. Likelihoods are exact, and take one call for the whole sound.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sextant.bundles.manifest import Manifest
from sextant.bundles.store import Bundle
from sextant.contract.errors import InvalidRequest, UnsupportedTask
from sextant.contract.events import Estimator, Likelihood, Result
from sextant.contract.media import Audio, Media
from sextant.contract.tasks import AutoregressiveParameters, Conditions, Size, Task, TaskKind
from sextant.contract.violations import quoted
from sextant.families.autoregressive.defaults import AutoregressiveDefaults
from sextant.families.autoregressive.drawing import drawing, log_shares
from sextant.families.autoregressive.mu_law import LEVELS, SILENCE, to_levels, to_samples
from sextant.families.autoregressive.wave_config import WaveNetConfig, read_config
from sextant.families.labels import read_class
from sextant.families.row_network import RowNetwork
from sextant.families.row_states import open_network
from sextant.families.unread import check_size, read_parameters, refuse_unread
from sextant.runtime.rng import RequestRng
from sextant.runtime.sampler import Cost, Limits
from sextant.runtime.session import SessionConfig

_SLOTS = 64
_VOICE = "voice"


@dataclass(slots=True, eq=False)
class Speaking:
    """`levels` uint8[n], whole up to frame `steps_done`; `rings` float32[sum of dilations, features], by layer."""

    index: int
    levels: NDArray[np.uint8]
    label: int
    voice: int
    temperature: float
    top_p: float
    rng: RequestRng
    rings: NDArray[np.float32]
    frame: int
    sample_rate_hz: int
    steps_total: int
    done: bool = False
    steps_done: int = 0

    def sound(self, first: int, last: int) -> Audio:
        """The samples from frame `first` on, before frame `last`."""
        samples = to_samples(self.levels[first * self.frame : last * self.frame])
        return Audio(samples[:, None], self.sample_rate_hz)


@dataclass(slots=True, eq=False)
class Weighing:
    """`levels` uint8[n], of which the first `counted` are asked for."""

    index: int
    levels: NDArray[np.uint8]
    counted: int
    label: int
    voice: int
    nats: float = 0.0
    done: bool = False
    steps_done: int = 0
    steps_total: int = 1


State = Speaking | Weighing


class WaveNetSampler:
    """A WaveNet; see `runtime.sampler.Sampler`."""

    def __init__(
        self,
        manifest: Manifest,
        networks: dict[str, RowNetwork],
        config: WaveNetConfig,
        defaults: AutoregressiveDefaults,
    ) -> None:
        self._name, self._tasks = manifest.name, manifest.tasks
        self._networks, self._config, self._defaults = networks, config, defaults
        self._dilations = np.array(config.dilations)
        self._ring_starts = np.cumsum(self._dilations) - self._dilations
        # Of each sample of a frame, at which later ones of the same frame which layers see it.
        places = np.arange(config.frame)[:, None]
        within = places + self._dilations < config.frame
        self._seen_later = [
            (place + self._dilations[layers], layers) for place, (layers,) in enumerate(map(np.nonzero, within))
        ]
        # The samples and layers whose output the rings still hold after the frame.
        self._outlasting = np.nonzero(~within)
        self.limits = Limits(rows_per_step=defaults.rows_per_step, slots=_SLOTS)

    @classmethod
    def load(cls, bundle: Bundle, session_config: SessionConfig) -> "WaveNetSampler":
        """The model in a bundle. Raises `BundleRefused` where its manifest does not fit its networks."""
        c, defaults = read_config(bundle.manifest)
        layers = len(c.dilations)
        told, now = (layers, 2 * c.features), (layers, c.features)
        spoken: dict[str, tuple[int, ...]] = {"label": (), "voice": ()}
        networks = {
            "sound": open_network(
                bundle,
                "sound.onnx",
                session_config,
                {"level": (c.most_samples,), **spoken},
                {"logits": (c.most_samples, LEVELS)},
            ),
            "told": open_network(bundle, "told.onnx", session_config, {**spoken, "frame": ()}, {"told": told}),
            "sample": open_network(
                bundle,
                "sample.onnx",
                session_config,
                {"before": (), "past": now, "told": told},
                {"logits": (LEVELS,), "now": now},
            ),
        }
        return cls(bundle.manifest, networks, c, defaults)

    def cost(self, task: Task) -> Cost:
        """A row."""
        return Cost()

    def start(self, task: Task, rng: RequestRng) -> State:
        """Check the task. Raises `InvalidRequest` and `UnsupportedTask`."""
        if task.kind not in self._tasks:
            raise UnsupportedTask(self._name, f"this WaveNet has no {task.kind}")
        match task.kind:
            case TaskKind.GENERATE:
                return self._speaking(task, rng)
            case TaskKind.SCORE:
                refuse_unread(task, "conditions.attributes")
                return self._weighing(task)
        raise UnsupportedTask(self._name, f"a WaveNet has no {task.kind}")

    def group(self, state: State) -> Hashable:
        """Those that speak go together, at whatever frame; so do those that are weighed."""
        return isinstance(state, Speaking)

    def step(self, states: Sequence[State]) -> None:
        """A frame of each sound, or the likelihood of each."""
        speaking = [state for state in states if isinstance(state, Speaking)]
        if speaking:
            self._speak(speaking)
        else:
            self._weigh([state for state in states if isinstance(state, Weighing)])

    def delta(self, state: State) -> Audio | None:
        """The frame that was just made."""
        return state.sound(state.steps_done - 1, state.steps_done) if isinstance(state, Speaking) else None

    def preview(self, state: State) -> Media | None:
        """None: the chunks are the preview."""
        return None

    def partial(self, state: State) -> Result | None:
        """The sound so far."""
        if isinstance(state, Speaking) and state.steps_done:
            return Result(state.index, state.sound(0, state.steps_done))
        return None

    def result(self, state: State) -> Result:
        """The sound, or its likelihood."""
        if isinstance(state, Speaking):
            return Result(state.index, state.sound(0, state.steps_total))
        return Result(state.index, Likelihood(state.nats, state.counted, Estimator.EXACT))

    def release(self, state: State) -> None:
        """Nothing to free: a state holds only its own arrays."""

    def _speaking(self, task: Task, rng: RequestRng) -> Speaking:
        refuse_unread(task, "parameters", "conditions.attributes")
        if task.source is not None:
            raise InvalidRequest("source", "this model takes none to generate")
        c = self._config
        check_size(task.size, Size(duration_s=task.size.duration_s))
        seconds = task.size.duration_s or c.most_seconds
        if seconds > c.most_seconds:
            raise InvalidRequest("size.duration_s", f"must be at most {c.most_seconds:g}, the longest this model makes")
        frames = -(-round(seconds * c.sample_rate_hz) // c.frame)
        given = read_parameters(task, AutoregressiveParameters, "autoregressive")
        label = read_class(task.conditions, c.classes, rng)
        return Speaking(
            task.index,
            np.full(frames * c.frame, SILENCE, np.uint8),
            0 if label is None else label,
            self._voice(task.conditions),
            self._defaults.temperature if given.temperature is None else given.temperature,
            self._defaults.top_p if given.top_p is None else given.top_p,
            rng,
            np.zeros((int(self._dilations.sum()), c.features), np.float32),
            c.frame,
            c.sample_rate_hz,
            max(1, frames),
        )

    def _weighing(self, task: Task) -> Weighing:
        c, field = self._config, f"items[{task.index}].audio"
        if not isinstance(task.source, Audio):
            raise InvalidRequest(field, "must hold a sound")
        samples = task.source.samples
        if task.source.sample_rate_hz != c.sample_rate_hz:
            raise InvalidRequest(field, f"is of {task.source.sample_rate_hz} Hz; the model takes {c.sample_rate_hz}")
        if samples.shape[1] != 1:
            raise InvalidRequest(field, f"has {samples.shape[1]} channels; the model takes 1")
        if not 0 < len(samples) <= c.most_samples:
            raise InvalidRequest(field, f"has {len(samples)} samples; the model takes from 1 to {c.most_samples}")
        levels = np.full(c.most_samples, SILENCE, np.uint8)
        levels[: len(samples)] = to_levels(samples[:, 0])
        label = read_class(task.conditions, c.classes)
        return Weighing(task.index, levels, len(samples), 0 if label is None else label, self._voice(task.conditions))

    def _voice(self, conditions: Conditions) -> int:
        """The voice asked for, by its name; the first where none is."""
        unknown = sorted(conditions.attributes.keys() - {_VOICE})
        if unknown:
            raise InvalidRequest(
                f"conditions.attributes[{quoted(unknown[0])}]", f"is unknown; this model reads {_VOICE}"
            )
        voices = self._config.voices
        name = conditions.attributes.get(_VOICE, voices[0])
        if name not in voices:
            raise InvalidRequest(f"conditions.attributes[{_VOICE}]", f"must be one of {', '.join(voices)}")
        return voices.index(name)

    def _speak(self, states: Sequence[Speaking]) -> None:
        c = self._config
        company = states if len(states) > 1 else [states[0], states[0]]  # see `RowNetwork`: once for all samples
        told = self._networks["told"].run(
            {
                "label": np.array([state.label for state in company], np.int64),
                "voice": np.array([state.voice for state in company], np.int64),
                "frame": np.array([state.steps_done for state in company], np.float32),
            }
        )["told"]
        uniform = np.stack([state.rng.uniform("sample", state.steps_done, (c.frame,)) for state in company], 1)
        draw = drawing(np.array([state.temperature for state in company]), np.array([state.top_p for state in company]))
        at = np.array([state.steps_done * c.frame for state in company])
        before = np.array(
            [state.levels[i - 1] if i else SILENCE for state, i in zip(company, at, strict=True)], np.int64
        )
        rings, rows = np.stack([state.rings for state in company]), np.arange(len(company))
        slots = self._ring_starts + (at[:, None] + np.arange(c.frame)[:, None, None]) % self._dilations
        # past[frame, b, layers, w] is what each sample sees of each layer: from the rings, later from the frame itself.
        past = rings[rows[:, None], slots]
        now, made = np.empty_like(past), np.empty((c.frame, len(company)), np.uint8)
        step = self._networks["sample"]
        for place in range(c.frame):
            outputs = step.run({"before": before, "past": past[place], "told": told})
            now[place] = outputs["now"]
            seen_at, by = self._seen_later[place]
            past[seen_at, :, by] = now[place, :, by]
            before = draw(outputs["logits"], uniform[place])
            made[place] = before
        places, layers = self._outlasting
        rings[rows, slots[places, :, layers]] = now[places, :, layers]
        for row, state in enumerate(states):
            first = state.steps_done * c.frame
            state.levels[first : first + c.frame] = made[:, row]
            state.rings = rings[row]
            state.steps_done += 1
            state.done = state.steps_done == state.steps_total

    def _weigh(self, states: Sequence[Weighing]) -> None:
        fed = {
            "level": np.stack([state.levels for state in states]).astype(np.int64),
            "label": np.array([state.label for state in states], np.int64),
            "voice": np.array([state.voice for state in states], np.int64),
        }
        logits = self._networks["sound"].run(fed)["logits"]
        for state, said in zip(states, logits, strict=True):
            counted = log_shares(said[: state.counted], axis=1)
            nats = np.take_along_axis(counted, state.levels[: state.counted, None].astype(np.int64), axis=1)
            state.nats = float(nats.sum())
            state.done, state.steps_done = True, 1


def warm_up(bundle: Bundle) -> Sequence[Task]:
    """Tasks that touch every code path once, of those that the bundle has."""
    network = bundle.manifest.network
    rate = network["sample_rate_hz"]
    sound = Audio(np.zeros((network["frame"], 1), np.float32), rate)
    label = Conditions(class_label=network["classes"][0])
    tasks = (
        Task(TaskKind.GENERATE, seed=0, conditions=label, size=Size(duration_s=network["frame"] / rate)),
        Task(TaskKind.SCORE, seed=0, conditions=label, source=sound),
    )
    return tuple(task for task in tasks if task.kind in bundle.manifest.tasks)
