"""Texts on their way through an encoder-decoder: read in one step, then written, or weighed, a token a step."""

from dataclasses import dataclass, field, replace
from math import fsum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sextant.contract.events import Estimator, FinishReason, Likelihood, Result, TextDelta, TokenLogProb, Usage
from sextant.contract.media import Text
from sextant.families.row_states import Rows
from sextant.families.transformer.beams import BeamSearch
from sextant.families.transformer.generating import Generation
from sextant.families.transformer.sampling import log_normaliser
from sextant.families.transformer.seq2seq_config import BLOCK, blocks
from sextant.families.transformer.seq2seq_text import WrittenText

ENCODER, DECODER = "encoder", "decoder"


class Tail(Protocol):
    """What becomes of the logits: a text drawn, searched for by beams, or weighed."""

    @property
    def done(self) -> bool:
        """Whether there is nothing left to write or to weigh."""
        ...

    def tokens(self) -> list[int]:
        """The last token of each row, which the next step reads."""
        ...

    def take(self, logits: NDArray[np.float32]) -> NDArray[np.int64] | None:
        """Logits [rows, vocab]; which row each of the next ones goes on from, None where they stay as they are."""
        ...

    def result(self, index: int, usage: Usage) -> Result:
        """The item, once `done`."""
        ...


@dataclass(slots=True, eq=False)
class Seq2SeqState:
    """A text that was, or is yet to be, read, and what is made of it by `tail`.

    `cross` float32[2 layers, heads, tokens, d] is what the encoder said; `past` float32[rows, 2 layers, heads,
    places, d] the keys and values of what is written.
    """

    index: int
    source: NDArray[np.int64]
    tail: Tail
    kept_shape: tuple[int, int, int]  # 2 layers, heads, d
    done: bool = False
    steps_done: int = 0
    steps_total: int = 0  # not known beforehand where a text is written
    written: int = 0
    cross: NDArray[np.float32] | None = None
    past: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        layers, heads, d = self.kept_shape
        self.past = np.zeros((1, layers, heads, BLOCK, d), np.float32)

    @property
    def network(self) -> str:
        """The next call's."""
        return ENCODER if self.cross is None else DECODER

    @property
    def group(self) -> tuple[str, int, int]:
        """States of one network and of equal numbers of blocks share a call."""
        return self.network, blocks(len(self.source)), self.past.shape[3] // BLOCK

    def inputs(self) -> Rows:
        """The text, or the last tokens of what is written."""
        length = np.array([len(self.source)], np.int64)
        if self.cross is None:
            ids = np.zeros((1, BLOCK * blocks(len(self.source))), np.int64)
            ids[0, : len(self.source)] = self.source
            return {"input_ids": ids, "length": length}
        tokens = np.array(self.tail.tokens(), np.int64)
        rows = len(tokens)
        return {
            "input_ids": tokens,
            "position": np.full(rows, self.written, np.int64),
            "past": self.past,
            "cross": self.cross[None] if rows == 1 else np.repeat(self.cross[None], rows, 0),
            "length": np.repeat(length, rows),
        }

    def take(self, outputs: Rows) -> None:
        """One step."""
        self.steps_done += 1
        if self.cross is None:
            self.cross = outputs["cross"][0].copy()
            return
        if self.written == self.past.shape[3]:
            self.past = np.concatenate([self.past, np.zeros_like(self.past[:, :, :, :BLOCK])], 3)
        self.past[:, :, :, self.written] = outputs["new"]
        self.written += 1
        rows = self.tail.take(outputs["logits"])
        self.done = self.tail.done
        if rows is not None and not self.done:
            self.past = self.past[rows]

    def result(self) -> Result:
        """The text, or its likelihood."""
        return self.tail.result(self.index, Usage(prompt_tokens=len(self.source), generated_tokens=self.written))


@dataclass(slots=True, eq=False)
class Drawing:
    """A text drawn token by token; `generation` chooses them. `fresh` is what the last step made final."""

    generation: Generation
    start: int
    leading_space: bool
    fresh: TextDelta | None = None
    _begun: bool = False

    @property
    def done(self) -> bool:
        return self.generation.done

    def tokens(self) -> list[int]:
        return [self.generation.tokens[-1] if self.generation.tokens else self.start]

    def take(self, logits: NDArray[np.float32]) -> None:
        self.generation.take_token(logits[0])
        self.fresh = self.generation.fresh
        if self.fresh is not None and self.fresh.content and not self._begun:
            self._begun = True
            if self.leading_space:
                self.fresh = replace(self.fresh, content=self.fresh.content.removeprefix(" "))

    def result(self, index: int, usage: Usage) -> Result:
        found = self.generation.result()
        assert isinstance(found.content, Text)
        text = found.content.content
        content = Text(text.removeprefix(" ")) if self.leading_space else found.content
        return Result(index, content, found.finish_reason, usage)


@dataclass(slots=True, eq=False)
class Searching:
    """A text searched for by beams, which comes whole."""

    search: BeamSearch
    codec: WrittenText
    start: int

    @property
    def done(self) -> bool:
        return self.search.done

    def tokens(self) -> list[int]:
        return [hypothesis.tokens[-1] if hypothesis.tokens else self.start for hypothesis in self.search.writing]

    def take(self, logits: NDArray[np.float32]) -> NDArray[np.int64]:
        return self.search.advance(logits)

    def result(self, index: int, usage: Usage) -> Result:
        best = self.search.best
        usage = replace(usage, generated_tokens=len(best.tokens))  # of the beam that is given
        complete = best.tokens[-1] in self.search.end
        text = b"".join(self.codec.bytes_of[token] for token in best.tokens if token not in self.search.end)
        if self.codec.leading_space:
            text = text.removeprefix(b" ")
        content = Text(text.decode("utf-8", errors="replace"))
        return Result(index, content, FinishReason.COMPLETE if complete else FinishReason.LENGTH, usage)


@dataclass(slots=True, eq=False)
class Weighing:
    """A text that is given: every token's log-probability after the source and those before it, its end included."""

    ids: NDArray[np.int64]
    codec: WrittenText
    start: int
    scored: list[TokenLogProb] = field(default_factory=list)

    @property
    def done(self) -> bool:
        return len(self.scored) == len(self.ids)

    def tokens(self) -> list[int]:
        return [self.start if not self.scored else int(self.ids[len(self.scored) - 1])]

    def take(self, logits: NDArray[np.float32]) -> None:
        token = int(self.ids[len(self.scored)])
        nats = float(logits[0, token]) - log_normaliser(logits[0])
        self.scored.append(TokenLogProb(token, self.codec.shown(token), nats))

    def result(self, index: int, usage: Usage) -> Result:
        total = fsum(token.logprob_nats for token in self.scored)
        likelihood = Likelihood(total, len(self.scored), Estimator.EXACT, tokens=tuple(self.scored))
        return Result(index, likelihood, usage=Usage(prompt_tokens=usage.prompt_tokens + len(self.ids)))
