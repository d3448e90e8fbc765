"""Encoder-decoders as samplers: a text is read in one step, and another is written a token a step.

Requests at any place of their texts share calls where these round up to equal multiples of sixteen tokens; what a
text is padded with depends on itself alone, so its bytes are the same in any company. A beam search is as many rows.
"""

from collections.abc import Hashable
from typing import TypeVar

import numpy as np
from pydantic import ValidationError

from sextant.bundles.store import Bundle
from sextant.bundles.verify import explain
from sextant.contract.errors import BundleRefused, InvalidRequest, UnsupportedTask
from sextant.contract.events import Result, TextDelta
from sextant.contract.media import Text
from sextant.contract.tasks import Conditions, Task, TaskKind, TextParameters
from sextant.families.row_states import RowSampler, RowState, open_network
from sextant.families.transformer.beams import BeamSearch
from sextant.families.transformer.generating import Generation, GenerationPlan
from sextant.families.transformer.kv_slots import Slot
from sextant.families.transformer.sampling import SamplingParameters, TokenChooser
from sextant.families.transformer.seq2seq_config import Seq2SeqDefaults, Seq2SeqNetworkConfig
from sextant.families.transformer.seq2seq_graph import DECODER_FILE, ENCODER_FILE
from sextant.families.transformer.seq2seq_states import (
    DECODER,
    ENCODER,
    Drawing,
    Searching,
    Seq2SeqState,
    Tail,
    Weighing,
)
from sextant.families.transformer.seq2seq_text import load_texts
from sextant.runtime.rng import RequestRng
from sextant.runtime.sampler import Cost, Limits
from sextant.runtime.session import SessionConfig

_SLOTS_A_ROW = 4  # of texts that wait between steps, for one that steps
_GREEDY = 0.0

T = TypeVar("T")


class Seq2SeqSampler(RowSampler):
    """An encoder-decoder with the task kinds Generate and Score; see `runtime.sampler.Sampler`."""

    def __init__(self, bundle: Bundle, session_config: SessionConfig) -> None:
        manifest = bundle.manifest
        try:
            self._config = Seq2SeqNetworkConfig.model_validate(manifest.network)
            self._defaults = Seq2SeqDefaults.model_validate(manifest.defaults)
        except ValidationError as error:
            raise BundleRefused(manifest.name, explain(error)) from error
        if manifest.context_tokens < 2:
            raise BundleRefused(manifest.name, f"context_tokens must be at least 2, not {manifest.context_tokens}")
        model, self._name, self._most_tokens = self._config.model, manifest.name, manifest.context_tokens
        self._source, self._codec = load_texts(bundle, self._config)
        self._chooser = TokenChooser(model.vocab_size)
        self._kept = (2 * model.decoder_layers, model.heads, model.head_dim)
        layers, heads, d = self._kept
        past, cross = (layers, heads, 0, d), (layers, heads, 0, d)
        self._networks = {
            ENCODER: open_network(
                bundle, ENCODER_FILE, session_config, {"input_ids": (0,), "length": ()}, {"cross": cross}
            ),
            DECODER: open_network(
                bundle,
                DECODER_FILE,
                session_config,
                {"input_ids": (), "position": (), "past": past, "cross": cross, "length": ()},
                {"logits": (model.vocab_size,), "new": (layers, heads, d)},
            ),
        }
        rows = self._config.rows_per_step
        self.limits = Limits(rows_per_step=rows, slots=_SLOTS_A_ROW * rows)

    def cost(self, task: Task) -> Cost:
        """A row and a slot for each beam."""
        given = task.parameters if isinstance(task.parameters, TextParameters) else TextParameters()
        beams = self._defaults.beams if given.beams is None else given.beams
        rows = 1 if task.kind is TaskKind.SCORE else max(1, min(beams, self._config.rows_per_step))
        return Cost(rows=rows, slots=rows)

    def start(self, task: Task, rng: RequestRng) -> Seq2SeqState:
        """Check and tokenise the task. Raises `InvalidRequest` and `UnsupportedTask`."""
        if task.conditions != Conditions():
            raise InvalidRequest("conditions", "a language model takes its conditions in words")
        if task.kind is TaskKind.GENERATE:
            return self._writing(task, rng)
        if task.kind is TaskKind.SCORE:
            return self._weighing(task)
        raise UnsupportedTask(self._name, f"an encoder-decoder generates and scores text; it has no {task.kind}")

    def group(self, state: RowState) -> Hashable:
        """Who wants the same network at the same widths goes together."""
        assert isinstance(state, Seq2SeqState)
        return state.group

    def delta(self, state: RowState) -> TextDelta | None:  # type: ignore[override]
        """The text that the last step made certain; a beam search makes none certain before its end."""
        if isinstance(state, Seq2SeqState) and isinstance(state.tail, Drawing):
            return state.tail.fresh
        return None

    def partial(self, state: RowState) -> Result | None:
        """What a beam search would answer with now; None for others: a text that breaks off is told by its chunks."""
        if isinstance(state, Seq2SeqState) and isinstance(state.tail, Searching) and state.written:
            return state.result()
        return None

    def _writing(self, task: Task, rng: RequestRng) -> Seq2SeqState:
        given = task.parameters if task.parameters is not None else TextParameters()
        if not isinstance(given, TextParameters):
            raise InvalidRequest("parameters", "generating text takes `text` parameters")
        for field, present in (("source", task.source is not None), ("chat", bool(task.chat))):
            if present:
                raise InvalidRequest(field, "an encoder-decoder takes a prompt")
        source = self._source.ids(task.prompt or "", "prompt")
        defaults, most = self._defaults, self._most_tokens
        if given.max_tokens is not None and given.max_tokens > most:
            raise InvalidRequest("text.max_tokens", f"must be at most {most}, not {given.max_tokens}")
        most = given.max_tokens or min(defaults.max_tokens, most)
        sampling = SamplingParameters(
            temperature=_or(given.temperature, defaults.temperature),
            top_k=_or(given.top_k, defaults.top_k),
            top_p=_or(given.top_p, defaults.top_p),
            min_p=_or(given.min_p, defaults.min_p),
            repetition_penalty=_or(given.repetition_penalty, defaults.repetition_penalty),
        )
        beams = _or(given.beams, defaults.beams)
        tokens = self._config.tokens
        end = frozenset() if given.ignore_end_of_text else frozenset(tokens.end)
        tail: Tail
        if beams > 1:
            self._check_beams(beams, given, sampling)
            tail = Searching(BeamSearch(beams, end, most), self._codec, tokens.start)
        else:
            plan = GenerationPlan(np.array([tokens.start]), most, sampling, given.stop, given.logprobs, end)
            # What it was given to read is not its own cache's: the slot stands for a prompt that is read.
            generation = Generation(task.index, plan, rng, Slot(row=0, length=1), self._codec, self._chooser)
            tail = Drawing(generation, tokens.start, self._codec.leading_space)
        return Seq2SeqState(task.index, source, tail, self._kept)

    def _check_beams(self, beams: int, given: TextParameters, sampling: SamplingParameters) -> None:
        if beams > self._config.rows_per_step:
            raise InvalidRequest("text.beams", f"must be at most {self._config.rows_per_step}, not {beams}")
        if sampling.temperature != _GREEDY and given.temperature is not None:
            raise InvalidRequest("text.temperature", "must be 0 where beams are searched: nothing is drawn")
        for name in ("stop", "logprobs", "repetition_penalty"):
            if getattr(given, name) not in (None, ()):
                raise InvalidRequest(f"text.{name}", "does not go with a beam search")

    def _weighing(self, task: Task) -> Seq2SeqState:
        field = f"items[{task.index}].text"
        if task.parameters is not None:
            raise InvalidRequest("parameters", "scoring text takes none")
        if not isinstance(task.source, Text) or not task.source.content:
            raise InvalidRequest(field, "must hold a text that is not empty")
        source = self._source.ids(task.context, "context")
        ids = np.append(self._codec.encode(task.source.content), self._config.tokens.end[0])
        if len(ids) > self._most_tokens:
            raise InvalidRequest(field, f"has {len(ids)} tokens; the model holds {self._most_tokens}")
        state = Seq2SeqState(task.index, source, Weighing(ids, self._codec, self._config.tokens.start), self._kept)
        state.steps_total = 1 + len(ids)
        return state


def _or(given: T | None, default: T) -> T:
    return default if given is None else given


def warm_up() -> tuple[Task, ...]:
    """Tasks that touch every code path once."""
    few = TextParameters(max_tokens=2)
    return (
        Task(TaskKind.GENERATE, seed=0, prompt="a", parameters=few),
        Task(TaskKind.GENERATE, seed=0, prompt="a", parameters=TextParameters(max_tokens=2, temperature=0.0, beams=2)),
        Task(TaskKind.SCORE, seed=0, source=Text("a"), context="a"),
    )
