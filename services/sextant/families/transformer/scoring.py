"""The exact log-likelihood of a text: every token given those before it, added up.

log p(x_1 ... x_n) = sum over i of log p(x_i | x_1 ... x_{i-1}); exact, since the decoder is a product of
conditionals. A text may follow a context, whose own tokens are read but not scored.
"""

from dataclasses import dataclass, field
from math import fsum

import numpy as np
from numpy.typing import NDArray

from sextant.contract.events import Estimator, Likelihood, Result, TokenLogProb, Usage
from sextant.families.transformer.kv_slots import Slot
from sextant.families.transformer.sampling import Logits, log_normaliser
from sextant.families.transformer.text import TextCodec


@dataclass(slots=True, eq=False)
class Scoring:
    """The state of one text being scored: `ids` from place `first` on, given everything before."""

    index: int
    ids: NDArray[np.int64]
    first: int
    slot: Slot
    codec: TextCodec
    steps_total: int
    done: bool = False
    steps_done: int = 0
    fresh: None = None
    _scored: list[TokenLogProb] = field(default_factory=list)

    @property
    def unread(self) -> NDArray[np.int64]:
        """The tokens still to be read; the last one never is, since nothing depends on it."""
        return self.ids[self.slot.length : -1]

    def wanted(self, tokens: int) -> int:
        """How many logits to compute when the next `tokens` are read: those that predict a scored token."""
        return min(tokens, max(1, self.slot.length + tokens + 1 - self.first))

    def take_chunk(self, logits: Logits) -> None:
        """A chunk was read; `logits` [wanted, vocab] are those after its last tokens."""
        self.steps_done += 1
        end = self.slot.length + 1  # the last row predicts the token at end - 1
        for row, place in zip(logits, range(end - len(logits), end), strict=True):
            if place >= self.first:
                token = int(self.ids[place])
                log_probability = float(row[token]) - log_normaliser(row)
                self._scored.append(TokenLogProb(token, self.codec.shown(token), log_probability))
        self.done = not len(self.unread)

    def take_token(self, logits: Logits) -> None:
        """Never called: scoring reads, it does not write."""
        raise AssertionError("a text that is scored has no decode steps")

    def result(self) -> Result:
        """The sum and its parts."""
        total = fsum(token.logprob_nats for token in self._scored)
        likelihood = Likelihood(total, len(self._scored), Estimator.EXACT, tokens=tuple(self._scored))
        return Result(self.index, likelihood, usage=Usage(prompt_tokens=len(self.ids)))
