"""What comes back from a model, inside Sextant.

A replica answers a `Request` with `Event`s: per item progress and chunks, then its `Result`. An item's events
are numbered from 0 and depend on the request alone, never on timing or batch mates, so a stream can be
continued on another replica by number. How the events of several items interleave is a matter of timing;
the gateway numbers them anew for the client.

No slots here, in `media` and in `tasks`: without them a pickled event takes 9 us instead of 17, both ways together.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from sextant.contract.media import Audio, Media


class Estimator(StrEnum):
    """What kind of figure a likelihood is."""

    EXACT = "exact"
    LOWER_BOUND = "lower_bound"
    ESTIMATE = "estimate"


class FinishReason(StrEnum):
    """Why an item ended."""

    COMPLETE = "complete"
    STOP = "stop"
    LENGTH = "length"
    DEADLINE = "deadline"


@dataclass(frozen=True)
class TokenAlternative:
    """A token that could have stood somewhere; `logprob_nats` before temperature and filters."""

    token_id: int
    token: bytes
    logprob_nats: float


@dataclass(frozen=True)
class TokenLogProb:
    """A token that stands somewhere, with the most likely ones at its place if they were asked for."""

    token_id: int
    token: bytes
    logprob_nats: float
    alternatives: tuple[TokenAlternative, ...] = ()


@dataclass(frozen=True)
class TextDelta:
    """More text, in whole characters; `tokens` only where log-probabilities were asked for."""

    content: str
    tokens: tuple[TokenLogProb, ...] = ()


@dataclass(frozen=True)
class Likelihood:
    """How likely an item is, in nats; `dimensions` counts tokens, pixels x channels, samples or columns."""

    log_likelihood_nats: float
    dimensions: int
    estimator: Estimator
    standard_error_nats: float = 0.0
    tokens: tuple[TokenLogProb, ...] = ()


@dataclass(frozen=True)
class StageUsage:
    """Network steps that an item took in one stage of a hybrid."""

    stage: str
    steps: int


@dataclass(frozen=True)
class Usage:
    """What an item used; `queue_s` is how long it waited in the replica before its first step, in seconds.

    `stages` says of a hybrid's steps where they were taken.
    """

    steps: int = 0
    prompt_tokens: int = 0
    generated_tokens: int = 0
    queue_s: float = 0.0
    stages: tuple[StageUsage, ...] = ()


@dataclass(frozen=True)
class Progress:
    """Steps made of steps in all (0 where not known beforehand), with the best current estimate if wanted."""

    item: int
    step: int
    total_steps: int
    preview: Media | None = None


@dataclass(frozen=True)
class Chunk:
    """A final piece of an item."""

    item: int
    delta: TextDelta | Audio


@dataclass(frozen=True)
class Result:
    """A whole item: its content (a `Likelihood` for Score), why it ended, what it used.

    `fills` holds, for a text with blanks, the candidates of each blank, most likely first.
    """

    item: int
    content: Media | Likelihood
    finish_reason: FinishReason = FinishReason.COMPLETE
    usage: Usage = field(default_factory=Usage)
    fills: tuple[tuple[TokenAlternative, ...], ...] = ()


@dataclass(frozen=True)
class Event:
    """One event; `sequence` counts from 0 within its item."""

    sequence: int
    body: Progress | Chunk | Result
