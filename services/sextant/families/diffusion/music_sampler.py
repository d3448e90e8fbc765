"""Diffusion models of piano rolls as samplers: chorales from noise, or to the notes of a given piece.

Generate composes freely in a key. Transform keeps notes of its source and composes the rest: the voices that the source
has (a melody is harmonised), or those named by the attribute "keep", up to the beat "keep_beats" (a beginning goes on).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sextant.bundles.store import Bundle
from sextant.contract.errors import InvalidRequest, UnsupportedTask
from sextant.contract.media import Media
from sextant.contract.tasks import Conditions, DiffusionParameters, Size, Task, TaskKind
from sextant.contract.violations import quoted
from sextant.families.diffusion.config import MusicConfig, read_config
from sextant.families.diffusion.course import Array
from sextant.families.diffusion.denoiser import DenoisingSampler
from sextant.families.diffusion.denoising import Denoising, Known
from sextant.families.diffusion.keys import find_key
from sextant.families.diffusion.midi import read_midi, to_midi
from sextant.families.diffusion.piano_roll import ROWS, VOICES, Score, to_roll, to_score
from sextant.families.row_states import open_network
from sextant.families.unread import check_size, read_parameters, refuse_unread
from sextant.runtime.rng import RequestRng
from sextant.runtime.session import SessionConfig

_BEAT = 4  # sixteenths
_KEEP, _KEEP_BEATS, _TEMPO = "keep", "keep_beats", "tempo_bpm"


class DiffusionMusicSampler(DenoisingSampler[MusicConfig]):
    """A denoising network of piano rolls."""

    @classmethod
    def load(cls, bundle: Bundle, session_config: SessionConfig) -> "DiffusionMusicSampler":
        """The model in a bundle. Raises `BundleRefused` where its manifest does not fit its network."""
        config, defaults = read_config(bundle.manifest, MusicConfig)
        roll = (len(VOICES), ROWS, config.sixteenths)
        inputs = {"x": roll, "t": (), "label": (), "known": (len(VOICES), 1, config.sixteenths)}
        network = open_network(bundle, "denoiser.onnx", session_config, inputs, {"prediction": roll})
        return cls(bundle.manifest, network, config, defaults)

    def start(self, task: Task, rng: RequestRng) -> Denoising:
        """Check the task and draw what it starts from. Raises `InvalidRequest` and `UnsupportedTask`."""
        if task.kind not in self._tasks:
            raise UnsupportedTask(self._name, f"this diffusion model has no {task.kind}")
        given = read_parameters(task, DiffusionParameters, "diffusion")
        refuse_unread(task, "parameters", "conditions.attributes")
        attributes = _Attributes(task.conditions.attributes)
        tempo = attributes.number(_TEMPO, 20, 300, self._config.tempo_bpm)
        check_size(task.size, Size(duration_s=self._config.sixteenths / _BEAT * 60 / tempo))
        if task.kind is TaskKind.TRANSFORM:
            return self._completing(task, attributes, tempo, given, rng)
        if task.source is not None:
            raise InvalidRequest("source", "this model takes none to generate")
        attributes.refuse_rest(_TEMPO)
        nothing = np.zeros((len(VOICES), 1, self._config.sixteenths), np.float32)
        return self._denoising(task.index, task.conditions, given, rng, tempo, nothing, np.zeros_like(nothing))

    def _completing(
        self, task: Task, attributes: "_Attributes", tempo: float, given: DiffusionParameters, rng: RequestRng
    ) -> Denoising:
        attributes.refuse_rest(_TEMPO, _KEEP, _KEEP_BEATS)
        source = read_midi(task.source, self._config.sixteenths, "source")
        known = attributes.kept(source)
        if known.all():
            raise InvalidRequest(
                "source.music", "has all the notes; say with `keep` or `keep_beats` which of them stay"
            )
        conditions = task.conditions
        if not conditions.class_label:
            kept = np.where(known[:, 0] > 0, source.pitch, 0)
            conditions = replace(conditions, class_label=str(find_key(kept)))
        return self._denoising(task.index, conditions, given, rng, tempo, to_roll(source), known)

    def _denoising(
        self,
        index: int,
        conditions: Conditions,
        given: DiffusionParameters,
        rng: RequestRng,
        tempo: float,
        source: Array,
        known: Array,
    ) -> Denoising:
        solver = self._solver(given)
        course = solver.course(self._bars, self._steps(given))
        stays = Known(source, 1 - known, None)
        noise = rng.normal("diffusion/start", shape=(len(VOICES), ROWS, self._config.sixteenths))
        return Denoising(
            index,
            stays.kept(noise, 0.0, 1.0),
            course,
            solver,
            self._guidance(conditions, given, rng),
            self._config.prediction,
            rng,
            lambda x0: _show(x0, tempo),
            known=stays,
            clip=self._defaults.clip,
            preview_every=given.preview_every_steps,
            told={"known": known},
        )


class _Attributes:
    """The attributes of a request, each checked as it is read."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given

    def number(self, name: str, least: float, most: float, usual: float) -> float:
        """The number under `name`, or the usual one. Raises `InvalidRequest`."""
        said = self._given.get(name)
        if said is None:
            return usual
        try:
            number = float(said)
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            raise InvalidRequest(_path(name), f"must be a number from {least:g} to {most:g}")
        return number

    def kept(self, source: Score) -> NDArray[np.float32]:
        """[4, 1, t]: 1 where the source's notes stay."""
        has: NDArray[np.bool_] = source.onset.sum(1) > 0
        voices = has
        if _KEEP in self._given:
            names = {name.strip().casefold() for name in self._given[_KEEP].split(",")}
            if not names <= set(VOICES):
                raise InvalidRequest(_path(_KEEP), f"must be some of {', '.join(VOICES)}, with commas between")
            voices = np.array([voice in names for voice in VOICES])
            if not has[voices].all():
                silent = next(voice for voice, v, h in zip(VOICES, voices, has, strict=True) if v and not h)
                raise InvalidRequest(_path(_KEEP), f"names the {silent}, which the source does not have")
        beats = self.number(_KEEP_BEATS, 1, source.length // _BEAT, source.length // _BEAT)
        within = np.arange(source.length) < round(beats * _BEAT)
        return (voices[:, None, None] & within).astype(np.float32)

    def refuse_rest(self, *read: str) -> None:
        """`InvalidRequest` for attributes other than those `read`."""
        for name in self._given:
            if name not in read:
                raise InvalidRequest(_path(name), f"is unknown; this model reads {', '.join(read)} here")


def _path(name: str) -> str:
    return f"conditions.attributes[{quoted(name)}]"


def _show(x0: Array, tempo: float) -> Media:
    return to_midi(to_score(x0), tempo)


def warm_up(bundle: Bundle) -> Sequence[Task]:
    """Tasks that touch every code path once, of those that the bundle has."""
    melody = np.zeros((len(VOICES), bundle.manifest.network["sixteenths"]), np.int64)
    melody[0] = 67
    struck = np.zeros(melody.shape, np.bool_)
    struck[0, 0] = True
    source = to_midi(Score(melody, struck), 90)
    short = DiffusionParameters(steps=2)
    tasks = (
        Task(TaskKind.GENERATE, seed=0, parameters=short),
        Task(TaskKind.TRANSFORM, seed=0, source=source, parameters=short),
    )
    return tuple(task for task in tasks if task.kind in bundle.manifest.tasks)
