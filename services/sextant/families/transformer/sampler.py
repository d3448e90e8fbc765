"""Decoders as samplers: generating and scoring text.

A state first reads its prompt alone, in chunks of one fixed size, and then takes one token a step together with
every other state that has come so far. What a state computes depends on its own tokens only, in chunks that
depend on nothing else; so its bytes are the same alone, in any company and in any order of coming and going.
"""

from collections.abc import Hashable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from sextant.bundles.store import Bundle
from sextant.bundles.verify import explain
from sextant.contract.errors import BundleRefused, InvalidRequest, UnsupportedTask
from sextant.contract.events import Result, TextDelta
from sextant.contract.media import Media, Text
from sextant.contract.tasks import ChatMessage, Conditions, Role, Task, TaskKind, TextParameters
from sextant.families.transformer.decoder_config import DecoderDefaults, DecoderNetworkConfig
from sextant.families.transformer.decoder_network import DecoderNetwork
from sextant.families.transformer.generating import Generation, GenerationPlan
from sextant.families.transformer.sampling import SamplingParameters, TokenChooser
from sextant.families.transformer.scoring import Scoring
from sextant.families.transformer.text import TemplateRefused, TextCodec
from sextant.runtime.rng import RequestRng
from sextant.runtime.sampler import Cost, Limits
from sextant.runtime.session import SessionConfig, open_session

NETWORK_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
TEMPLATE_FILE = "chat_template.jinja"

State = Generation | Scoring
T = TypeVar("T")


class DecoderSampler:
    """A decoder with the task kinds Generate and Score; see `runtime.sampler.Sampler`."""

    def __init__(
        self,
        name: str,
        network: DecoderNetwork,
        codec: TextCodec,
        config: DecoderNetworkConfig,
        defaults: DecoderDefaults,
    ) -> None:
        self._name, self._network, self._codec = name, network, codec
        self._config, self._defaults = config, defaults
        self._context = network.slots.max_len
        self._chooser = TokenChooser(config.decoder.vocab_size)
        self.limits = Limits(rows_per_step=config.max_slots, slots=config.max_slots)

    @classmethod
    def load(cls, bundle: Bundle, session_config: SessionConfig) -> "DecoderSampler":
        """The decoder in a bundle. Raises `BundleRefused` where its manifest or tokenizer does not fit."""
        manifest = bundle.manifest
        try:
            config = DecoderNetworkConfig.model_validate(manifest.network)
            defaults = DecoderDefaults.model_validate(manifest.defaults)
        except ValidationError as error:
            raise BundleRefused(manifest.name, explain(error)) from error
        if not 2 <= manifest.context_tokens <= config.decoder.max_positions:
            reason = f"context_tokens must be from 2 to {config.decoder.max_positions}, not {manifest.context_tokens}"
            raise BundleRefused(manifest.name, reason)
        codec = load_codec(bundle, config)
        network = DecoderNetwork(
            open_session(bundle.file(NETWORK_FILE), session_config),
            config.decoder,
            max_slots=config.max_slots,
            max_len=manifest.context_tokens,
            chunk=config.prefill_chunk,
        )
        return cls(manifest.name, network, codec, config, defaults)

    def cost(self, task: Task) -> Cost:
        """Every text takes one row and one slot."""
        return Cost(rows=1, slots=1)

    def start(self, task: Task, rng: RequestRng) -> State:
        """Check and tokenise the task, and take a slot. Raises `InvalidRequest` and `UnsupportedTask`."""
        if task.conditions != Conditions():
            raise InvalidRequest("conditions", "a language model takes its conditions in words")
        if task.kind is TaskKind.GENERATE:
            plan = self._plan(task)
            slot = self._network.slots.acquire()
            return Generation(task.index, plan, rng, slot, self._codec, self._chooser)
        if task.kind is TaskKind.SCORE:
            return self._start_scoring(task)
        raise UnsupportedTask(self._name, f"a decoder generates and scores text; it has no {task.kind}")

    def group(self, state: State) -> Hashable:
        """Who still reads goes alone; all who write go together."""
        return ("prefill", id(state)) if len(state.unread) else ("decode",)

    def step(self, states: Sequence[State]) -> None:
        """Read one chunk of one state, or write one token of each."""
        first = states[0]
        if len(first.unread):
            chunk = first.unread[: self._config.prefill_chunk]
            wanted = first.wanted(len(chunk))
            first.take_chunk(self._network.prefill(first.slot, chunk, wanted))
            return
        writers = [state for state in states if isinstance(state, Generation)]
        logits = self._network.decode([state.slot for state in writers], [state.tokens[-1] for state in writers])
        for state in writers:
            state.take_token(logits[state.slot.row])

    def delta(self, state: State) -> TextDelta | None:
        """The text that the last step made certain."""
        return state.fresh

    def preview(self, state: State) -> Media | None:
        """None: the chunks are the preview."""
        return None

    def partial(self, state: State) -> Result | None:
        """None: a text that breaks off is told by its chunks."""
        return None

    def result(self, state: State) -> Result:
        """The text, or its likelihood."""
        return state.result()

    def release(self, state: State) -> None:
        """Free the slot."""
        self._network.slots.release(state.slot)

    def _plan(self, task: Task) -> GenerationPlan:
        given = task.parameters if task.parameters is not None else TextParameters()
        if not isinstance(given, TextParameters):
            raise InvalidRequest("parameters", "generating text takes `text` parameters")
        if given.beams is not None and given.beams > 1:
            raise InvalidRequest("text.beams", "a decoder has no beam search")
        if task.source is not None:
            raise InvalidRequest("source", "generating text takes a prompt or a chat")
        prompt = self._prompt(task, given)
        field = "chat" if task.chat else "prompt"
        room = self._context - len(prompt)
        if room < 1:
            raise InvalidRequest(field, f"has {len(prompt)} tokens; with the answer the context holds {self._context}")
        if given.max_tokens is not None and given.max_tokens > room:
            reason = f"{len(prompt)} tokens of prompt leave room for {room} in the context, not {given.max_tokens}"
            raise InvalidRequest("text.max_tokens", reason)
        defaults = self._defaults
        return GenerationPlan(
            prompt=prompt,
            max_tokens=given.max_tokens or min(defaults.max_tokens, room),
            sampling=SamplingParameters(
                temperature=_or(given.temperature, defaults.temperature),
                top_k=_or(given.top_k, defaults.top_k),
                top_p=_or(given.top_p, defaults.top_p),
                min_p=_or(given.min_p, defaults.min_p),
                repetition_penalty=_or(given.repetition_penalty, defaults.repetition_penalty),
            ),
            stop=given.stop,
            logprobs=given.logprobs,
            end=frozenset() if given.ignore_end_of_text else frozenset(self._config.tokens.end),
        )

    def _prompt(self, task: Task, given: TextParameters) -> NDArray[np.int64]:
        """The tokens that the answer follows; where there is no prompt at all, the token that starts a text."""
        codec, tokens = self._codec, self._config.tokens
        if task.chat and not codec.has_template:
            raise InvalidRequest("chat", f"{self._name} has no chat template; give it a prompt")
        if task.chat and given.continue_prompt:
            raise InvalidRequest("text.continue_prompt", "does not go with `chat`")
        if task.chat or (task.prompt and codec.has_template and not given.continue_prompt):
            messages = task.chat or (ChatMessage(Role.USER, task.prompt or ""),)
            try:
                ids = codec.encode_chat(messages)
            except TemplateRefused as refused:
                raise InvalidRequest(
                    "chat" if task.chat else "prompt", f"the chat template says: {refused}"
                ) from refused
        else:
            ids = codec.encode(task.prompt or "")
        needs_start = tokens.prepends_start or not len(ids)
        if needs_start and tokens.start is not None and not (len(ids) and ids[0] == tokens.start):
            ids = np.concatenate([[tokens.start], ids])
        if not len(ids):
            raise InvalidRequest("prompt", f"must not be empty: {self._name} cannot start a text from nothing")
        return ids

    def _start_scoring(self, task: Task) -> Scoring:
        field = f"items[{task.index}].text"
        if task.parameters is not None:
            raise InvalidRequest("parameters", "scoring text takes none")
        if not isinstance(task.source, Text) or not task.source.content:
            raise InvalidRequest(field, "must hold a text that is not empty")
        before = self._before(task.context)
        ids = np.concatenate([before, self._codec.encode(task.source.content)])
        if len(before) >= self._context:
            raise InvalidRequest("context", f"has {len(before)} tokens; with the item the model holds {self._context}")
        if len(ids) > self._context:
            reason = f"has {len(ids) - len(before)} tokens"
            reason += f" after {len(before)} of context" if len(before) > 1 else ""
            raise InvalidRequest(field, f"{reason}; the model holds {self._context}")
        first = max(1, len(before))
        if len(ids) <= first:
            raise InvalidRequest(field, "is a single token, and the model cannot say how likely a text starts with it")
        steps = -(-(len(ids) - 1) // self._config.prefill_chunk)
        return Scoring(task.index, ids, first, self._network.slots.acquire(), self._codec, steps)

    def _before(self, context: str) -> NDArray[np.int64]:
        """What a scored text follows: its context, or else the token that starts a text, where there is one."""
        tokens = self._config.tokens
        ids = self._codec.encode(context)
        if tokens.start is not None and (tokens.prepends_start or not len(ids)):
            ids = np.concatenate([[tokens.start], ids])
        return ids.astype(np.int64)


def load_codec(bundle: Bundle, config: DecoderNetworkConfig) -> TextCodec:
    """The tokenizer and chat template of a bundle. Raises `BundleRefused`."""
    template = None
    try:
        if TEMPLATE_FILE in bundle.manifest.files:
            template = bundle.file(TEMPLATE_FILE).read_text("utf-8")
        return TextCodec(
            bundle.file(TOKENIZER_FILE).read_text("utf-8"), template, config.tokens, config.decoder.vocab_size
        )
    except Exception as error:  # `tokenizers` raises nothing more specific
        raise BundleRefused(bundle.manifest.name, f"its tokenizer cannot be used: {error}") from error


def _or(given: T | None, default: T) -> T:
    return default if given is None else given
