"""Encoders as samplers: embedding texts, and filling the blanks of a sentence. Both take a single step.

Texts whose lengths round up to the same multiple of 16 tokens share a call, padded to that length. So what a text
is padded with, and with it every bit of its result, depends on its own length alone.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from sextant.bundles.store import Bundle
from sextant.bundles.verify import explain
from sextant.contract.errors import BundleRefused, InvalidRequest, UnsupportedTask
from sextant.contract.events import Result, TokenAlternative, Usage
from sextant.contract.media import Latent, Media, Text
from sextant.contract.tasks import Conditions, FillMaskParameters, Task, TaskKind
from sextant.families.transformer.encoder_config import EncoderNetworkConfig
from sextant.families.transformer.encoder_network import EncodedRow, EncoderNetwork
from sextant.families.transformer.encoder_text import EncodedText, EncoderText
from sextant.runtime.rng import RequestRng
from sextant.runtime.sampler import Cost, Limits
from sextant.runtime.session import SessionConfig, open_session

NETWORK_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"

# What one row of a step is meant to carry. A call of 32 rows is then about 2,048 tokens or 512 blanks, beyond which
# batching gains nothing on a CPU, while a call would hold up everyone else for seconds.
_BYTES_PER_ROW = 256  # about 64 tokens
_BLANKS_PER_ROW = 16
# Refused without tokenising it, which would hold up everyone else as well.
_MOST_CHARACTERS_PER_TOKEN = 100


@dataclass(slots=True)
class EncoderState:
    """One text. `candidates` is how many to report for each blank; `row` what the network said, once `done`."""

    task: Task
    content: str
    encoded: EncodedText
    candidates: int = 0
    row: EncodedRow | None = None
    done: bool = False
    steps_done: int = 0
    steps_total: int = 1


class EncoderSampler:
    """An encoder with the task kind Encode and, where it has the head for it, Transform; see `runtime.sampler`."""

    def __init__(self, name: str, network: EncoderNetwork, text: EncoderText, config: EncoderNetworkConfig) -> None:
        self._name, self._network, self._text = name, network, text
        self._config, self._mask_token = config, config.mask_token
        self.limits = Limits(rows_per_step=config.rows_per_step, slots=config.max_texts)

    @classmethod
    def load(cls, bundle: Bundle, config: SessionConfig) -> "EncoderSampler":
        """The encoder in a bundle. Raises `BundleRefused` where its manifest or tokenizer does not fit."""
        manifest = bundle.manifest
        try:
            network_config = EncoderNetworkConfig.model_validate(manifest.network)
        except ValidationError as error:
            raise BundleRefused(manifest.name, explain(error)) from error
        if not 1 <= manifest.context_tokens <= network_config.encoder.max_positions:
            limit = network_config.encoder.max_positions
            raise BundleRefused(manifest.name, f"context_tokens must be 1 to {limit}, not {manifest.context_tokens}")
        try:
            text = EncoderText(bundle.file(TOKENIZER_FILE).read_text("utf-8"), network_config.mask_token)
        except BundleRefused:
            raise
        except Exception as error:  # `tokenizers` raises nothing more specific
            raise BundleRefused(manifest.name, f"its tokenizer cannot be used: {error}") from error
        network = EncoderNetwork(open_session(bundle.file(NETWORK_FILE), config), manifest.context_tokens)
        if network_config.mask_token is not None and not (network.has_head and text.has_mask):
            raise BundleRefused(manifest.name, "it names a mask token, but cannot fill blanks")
        return cls(manifest.name, network, text, network_config)

    def cost(self, task: Task) -> Cost:
        """One slot, and rows by an estimate from the text's length: long texts count as several short ones."""
        if not isinstance(task.source, Text):
            return Cost()
        content = task.source.content
        rows = -(-len(content.encode()) // _BYTES_PER_ROW)
        if task.kind is TaskKind.TRANSFORM and self._mask_token is not None:
            rows = max(rows, -(-content.count(self._mask_token) // _BLANKS_PER_ROW))
        return Cost(rows=min(max(1, rows), self.limits.rows_per_step), slots=1)

    def start(self, task: Task, rng: RequestRng) -> EncoderState:
        """Check and tokenise the task. Raises `InvalidRequest` and `UnsupportedTask`."""
        if task.conditions != Conditions():
            raise InvalidRequest("conditions", "an encoder takes none")
        if task.kind is TaskKind.ENCODE:
            if task.parameters is not None:
                raise InvalidRequest("parameters", "encoding text takes none")
            spaces = [sentence_space(self._name), *([token_space(self._name)] if self._network.has_states else [])]
            if task.space and task.space not in spaces:
                known = " and ".join(spaces)
                raise InvalidRequest("options.guarantees.latent_space", f"this encoder writes to {known}")
            content, encoded = self._read(task, f"items[{task.index}].text")
            return EncoderState(task, content, encoded)
        if task.kind is TaskKind.TRANSFORM and self._mask_token is not None:
            return self._start_filling(task, self._mask_token)
        can = "embeds text" if self._mask_token is None else "embeds text and fills its blanks"
        raise UnsupportedTask(self._name, f"this encoder {can}; it has no {task.kind}")

    def group(self, state: EncoderState) -> Hashable:
        """Texts of one padded length go together, whatever is wanted of them."""
        return self._network.padded_length(len(state.encoded.ids))

    def step(self, states: Sequence[EncoderState]) -> None:
        """Encode every text."""
        blanks = [
            [blank.position for blank in state.encoded.blanks] if state.task.kind is TaskKind.TRANSFORM else []
            for state in states
        ]
        wants_states = any(state.task.space == token_space(self._name) for state in states)
        rows = self._network.run([state.encoded.ids for state in states], blanks, states=wants_states)
        for state, row in zip(states, rows, strict=True):
            state.row, state.done, state.steps_done = row, True, 1

    def delta(self, state: EncoderState) -> None:
        """None: a single step has nothing to stream."""
        return

    def preview(self, state: EncoderState) -> Media | None:
        """None: the first step is the last."""
        return None

    def partial(self, state: EncoderState) -> Result | None:
        """None: there is one step."""
        return None

    def result(self, state: EncoderState) -> Result:
        """The embedding, or the text with its blanks filled by their likeliest candidates."""
        if state.row is None:
            raise RuntimeError("the text has not been encoded yet")
        usage = Usage(prompt_tokens=len(state.encoded.ids))
        if state.task.kind is TaskKind.ENCODE:
            # Copies, since the row is a view into what all texts of the call share.
            if state.task.space == token_space(self._name) and state.row.states is not None:
                latent = Latent(space=token_space(self._name), mean=state.row.states.copy())
            else:
                latent = Latent(space=sentence_space(self._name), mean=state.row.embedding.copy())
            return Result(state.task.index, latent, usage=usage)
        fills = tuple(self._candidates(logits, state.candidates) for logits in state.row.logits)
        best = [fill[0].token.decode() for fill in fills]
        filled = self._text.fill(state.content, state.encoded.blanks, best)
        return Result(state.task.index, Text(filled), usage=usage, fills=fills)

    def release(self, state: EncoderState) -> None:
        """Nothing to free: a state holds only its own text."""

    def _start_filling(self, task: Task, mask_token: str) -> EncoderState:
        given = task.parameters if task.parameters is not None else FillMaskParameters()
        if not isinstance(given, FillMaskParameters):
            raise InvalidRequest("parameters", "filling blanks takes `fill_mask` parameters")
        if task.prompt:
            raise InvalidRequest("prompt", "filling blanks takes none; write the blanks into the source")
        content, encoded = self._read(task, "source.text")
        if not encoded.blanks:
            raise InvalidRequest("source.text", f"must hold {mask_token} at least once, where a blank is to be filled")
        return EncoderState(task, content, encoded, given.candidates)

    def _read(self, task: Task, field: str) -> tuple[str, EncodedText]:
        """The task's text and its tokens, within what the model reads."""
        if not isinstance(task.source, Text) or not task.source.content:
            raise InvalidRequest(field, "must hold a text that is not empty")
        content, most = task.source.content, self._network.max_tokens
        if len(content) > most * _MOST_CHARACTERS_PER_TOKEN:
            reason = f"has {len(content)} characters, far more than the {most} tokens that the model reads"
            raise InvalidRequest(field, reason)
        encoded = self._text.encode(content)
        if len(encoded.ids) > most:
            reason = f"has {len(encoded.ids)} tokens with the model's own marks; it reads at most {most}"
            raise InvalidRequest(field, reason)
        if len(encoded.ids) == len(self._text.encode("").ids):
            raise InvalidRequest(field, "must hold more than space")
        return content, encoded

    def _candidates(self, logits: NDArray[np.float32], count: int) -> tuple[TokenAlternative, ...]:
        """The likeliest tokens for one blank, best first, with log-probabilities over the whole vocabulary."""
        scores = logits.astype(np.float64)
        highest = scores.max()
        logprobs = scores - (highest + np.log(np.exp(scores - highest).sum()))
        known = self._text.known_ids
        best = known[np.argpartition(-logprobs[known], min(count, len(known)) - 1)[:count]]
        ranked = best[np.lexsort((best, -logprobs[best]))]
        return tuple(
            TokenAlternative(int(index), self._text.token(int(index)).encode(), float(logprobs[index]))
            for index in ranked
        )


def sentence_space(name: str) -> str:
    """The id of the latent space that the encoder of that name writes to."""
    return f"{name}/sentence"


def token_space(name: str) -> str:
    """The id of the latent space of the states of all tokens: sequences of any length."""
    return f"{name}/tokens"


def warm_up(bundle: Bundle) -> Sequence[Task]:
    """Tasks that touch every code path once, in texts that fit any encoder; a blank only where it can be filled."""
    spaces = [space.id for space in bundle.manifest.latent_spaces]
    tasks = [Task(TaskKind.ENCODE, seed=0, source=Text("a"), space=space) for space in spaces]
    mask_token = bundle.manifest.network.get("mask_token")
    if mask_token is not None:
        tasks.append(Task(TaskKind.TRANSFORM, seed=0, source=Text(mask_token)))
    return tuple(tasks)
