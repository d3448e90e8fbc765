"""One text being generated: the prompt chunk by chunk, then a token a step."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sextant.contract.events import FinishReason, Result, TextDelta, TokenAlternative, TokenLogProb, Usage
from sextant.contract.media import Text
from sextant.families.transformer.kv_slots import Slot
from sextant.families.transformer.sampling import Logits, SamplingParameters, TokenChooser, log_normaliser, top_tokens
from sextant.families.transformer.text import TextCodec, TextStream
from sextant.runtime.rng import RequestRng


@dataclass(frozen=True, slots=True)
class GenerationPlan:
    """What a request comes to, defaults filled in. `end` are the tokens that end the text."""

    prompt: NDArray[np.int64]
    max_tokens: int
    sampling: SamplingParameters
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    end: frozenset[int] = frozenset()


@dataclass(slots=True, eq=False)
class Generation:
    """The state of one text. `fresh` is what its last step made final."""

    index: int
    plan: GenerationPlan
    rng: RequestRng
    slot: Slot
    codec: TextCodec
    chooser: TokenChooser
    done: bool = False
    steps_done: int = 0
    steps_total: int = 0  # not known beforehand
    fresh: TextDelta | None = None
    tokens: list[int] = field(default_factory=list)
    finish_reason: FinishReason = FinishReason.LENGTH
    _stream: TextStream = field(init=False)
    _texts: list[str] = field(default_factory=list)
    _seen: "SeenTokens" = field(init=False)
    # Tokens not yet reported, each with the place in the text's bytes where it starts.
    _unreported: list[tuple[int, TokenLogProb]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stream = TextStream(self.plan.stop)
        self._seen = SeenTokens(self.plan.prompt, self.plan.max_tokens)

    @property
    def unread(self) -> NDArray[np.int64]:
        """The prompt's tokens that are still to be read."""
        return self.plan.prompt[self.slot.length :]

    def wanted(self, tokens: int) -> int:
        """How many logits to compute when the next `tokens` prompt tokens are read: those after the last."""
        return 1

    def take_chunk(self, logits: Logits) -> None:
        """A chunk of the prompt was read; after the last one comes the first token of the answer."""
        self.steps_done += 1
        self.fresh = None
        if not len(self.unread):
            self._append(logits[-1])

    def take_token(self, logits: Logits) -> None:
        """The last token was read; `logits` [vocab] say what may come next."""
        self.steps_done += 1
        self._append(logits)

    def result(self) -> Result:
        """The whole text."""
        usage = Usage(prompt_tokens=len(self.plan.prompt), generated_tokens=len(self.tokens))
        return Result(self.index, Text("".join(self._texts)), self.finish_reason, usage)

    def _append(self, logits: Logits) -> None:
        plan = self.plan
        greedy = plan.sampling.temperature == 0
        uniform = 0.0 if greedy else float(self.rng.uniform("token", len(self.tokens)))
        token = self.chooser.choose(logits, plan.sampling, self._seen.ids, uniform)
        self.tokens.append(token)
        if token in plan.end:
            self._finish(FinishReason.COMPLETE, self._stream.finish())
            return
        self._seen.add(token)
        if plan.logprobs is not None:
            self._unreported.append((self._stream.pushed_bytes, self._with_logprob(token, logits, plan.logprobs)))
        text = self._stream.push(self.codec.bytes_of[token])
        if self._stream.stopped:
            # Tokens of the stop string are no part of the answer.
            self._unreported = [entry for entry in self._unreported if entry[0] < self._stream.given_bytes]
            self._finish(FinishReason.STOP, text)
        elif len(self.tokens) == plan.max_tokens:
            self._finish(FinishReason.LENGTH, text + self._stream.finish())
        else:
            self._give(text, self._reported())

    def _finish(self, reason: FinishReason, text: str) -> None:
        self.done, self.finish_reason = True, reason
        self._give(text, tuple(token for _, token in self._unreported))

    def _give(self, text: str, tokens: tuple[TokenLogProb, ...]) -> None:
        self._texts.append(text)
        self.fresh = TextDelta(text, tokens) if text or tokens else None

    def _reported(self) -> tuple[TokenLogProb, ...]:
        """The tokens of which text was given, in whole or in part, since the last report."""
        given = self._stream.given_bytes
        due = [token for start, token in self._unreported if start < given]
        del self._unreported[: len(due)]
        return tuple(due)

    def _with_logprob(self, token: int, logits: Logits, alternatives: int) -> TokenLogProb:
        normaliser = log_normaliser(logits)
        shown = self.codec.shown
        others = tuple(
            TokenAlternative(int(other), shown(int(other)), float(logits[other]) - normaliser)
            for other in top_tokens(logits, alternatives)
        )
        return TokenLogProb(token, shown(token), float(logits[token]) - normaliser, others)


class SeenTokens:
    """The distinct tokens of prompt and answer, for the repetition penalty; adding one costs no more than a look."""

    def __init__(self, prompt: NDArray[np.int64], room: int) -> None:
        distinct = np.unique(prompt)
        self._known = set(distinct.tolist())
        self._ids = np.empty(len(distinct) + room, dtype=np.int64)
        self._ids[: len(distinct)] = distinct

    @property
    def ids(self) -> NDArray[np.int64]:
        """They, in no particular order."""
        return self._ids[: len(self._known)]

    def add(self, token: int) -> None:
        """Note a token of the answer."""
        if token not in self._known:
            self._ids[len(self._known)] = token
            self._known.add(token)
