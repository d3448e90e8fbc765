"""Beam search: the few likeliest continuations are kept at each step (Sutskever et al. 2014, section 3.2).

Hypotheses that end are ranked by their log-probability over their length (Wu et al. 2016, section 7, with alpha 1).
The search stops once none of those still written, at its present length, is better than the worst of as many ended.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True, eq=False)
class Hypothesis:
    """A text so far, without its start; `nats` is its log-probability."""

    tokens: tuple[int, ...]
    nats: float

    @property
    def score(self) -> float:
        """What hypotheses are ranked by."""
        return self.nats / max(1, len(self.tokens))


@dataclass(slots=True, eq=False)
class BeamSearch:
    """`width` hypotheses at most; `rows` says of each one that is written on which row it goes on from."""

    width: int
    end: frozenset[int]
    most_tokens: int
    writing: list[Hypothesis] = field(default_factory=lambda: [Hypothesis((), 0.0)])
    ended: list[Hypothesis] = field(default_factory=list)
    done: bool = False

    @property
    def best(self) -> Hypothesis:
        """The best that ended, or else the best so far."""
        return max(self.ended or self.writing, key=lambda hypothesis: hypothesis.score)

    def advance(self, logits: NDArray[np.float32]) -> NDArray[np.int64]:
        """Takes logits [writing, vocab]; the row that each hypothesis still written goes on from, int64[writing]."""
        ended: list[Hypothesis] = []
        going_on: list[tuple[Hypothesis, int]] = []
        for rank, (nats, row, token) in enumerate(self._candidates(logits)):
            hypothesis = Hypothesis((*self.writing[row].tokens, token), nats)
            if token in self.end:
                # One that would not have been kept does not count as ended either.
                if rank < self.width:
                    ended.append(hypothesis)
            elif len(going_on) < self.width:
                going_on.append((hypothesis, row))
        best = sorted([*self.ended, *ended], key=lambda hypothesis: -hypothesis.score)
        self.ended = best[: self.width]
        self.writing = [hypothesis for hypothesis, _ in going_on]
        self._stop_if_settled()
        return np.array([row for _, row in going_on], np.int64)

    def _candidates(self, logits: NDArray[np.float32]) -> list[tuple[float, int, int]]:
        """(nats, row, token) of the likeliest continuations, best first: enough that `width` of them do not end."""
        count = min((1 + len(self.end)) * self.width, logits.size)
        before = np.array([[hypothesis.nats] for hypothesis in self.writing])
        nats = (before + _log_probabilities(logits)).ravel()
        likeliest = np.argpartition(-nats, count - 1)[:count]
        likeliest = likeliest[np.lexsort((likeliest, -nats[likeliest]))]  # of equal ones the lower row and token
        return [(float(nats[place]), *divmod(int(place), logits.shape[1])) for place in likeliest]

    def _stop_if_settled(self) -> None:
        length = len(self.writing[0].tokens) if self.writing else 0
        if not self.writing or length >= self.most_tokens:
            if length >= self.most_tokens:
                both = sorted([*self.ended, *self.writing], key=lambda hypothesis: -hypothesis.score)
                self.ended = both[: self.width]
            self.done = True
        elif len(self.ended) >= self.width:
            best = max(hypothesis.nats for hypothesis in self.writing) / length
            self.done = best <= min(hypothesis.score for hypothesis in self.ended)


def _log_probabilities(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of each row, in nats; float64[rows, vocab]."""
    shifted = logits.astype(np.float64) - logits.max(1, keepdims=True)
    found: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return found
