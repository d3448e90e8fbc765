"""A map of codes on its way: place after place, each drawn from what the network says of it, or given."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sextant.contract.errors import InvalidRequest
from sextant.contract.events import Result, Usage
from sextant.contract.media import Latent
from sextant.families.codes import latent_of_codes
from sextant.families.transformer.kv_slots import Slot
from sextant.families.transformer.sampling import Logits, SamplingParameters, TokenChooser
from sextant.runtime.rng import RequestRng

_NOTHING_SEEN = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Words:
    """States of a text encoder, float32[tokens, width] with zeros behind the first `length`."""

    states: NDArray[np.float32]
    length: int


@dataclass(slots=True, eq=False)
class Drawing:
    """`codes` int64[h, w], of which those that are `given` bool[h, w] stay; the last that is not ends it.

    `slots` are the rows of the network's memory: one, or with guidance a second that is told nothing. `words` are still
    to be read, or None. `before` is what stands before the first place.
    """

    index: int
    space: str
    codes: NDArray[np.int64]
    given: NDArray[np.bool_]
    slots: tuple[Slot, ...]
    words: Words | None
    length: int
    scale: float
    sampling: SamplingParameters
    rng: RequestRng
    before: int
    preview_every: int = 0
    overflows: bool = False
    done: bool = False
    steps_done: int = 0
    place: int = 0
    steps_total: int = field(init=False)
    _last: int = field(init=False)

    def __post_init__(self) -> None:
        self._last = int(np.flatnonzero(~self.given)[-1])
        self.steps_total = self._last + 1 + (self.words is not None)

    @property
    def code_before(self) -> int:
        """The code that the next place follows."""
        return int(self.codes.flat[self.place - 1]) if self.place else self.before

    def take_reading(self, overflows: bool) -> None:
        """The words are read."""
        self.words = None
        self.overflows = self.done = overflows
        self.steps_done += 1

    def take(self, logits: Logits, chooser: TokenChooser, overflows: bool) -> None:
        """Logits [slots, codes] of the next place."""
        if overflows:
            self.overflows = self.done = True
        elif not self.given.flat[self.place]:
            uniform = float(self.rng.uniform("code", self.place))
            self.codes.flat[self.place] = chooser.choose(self._led(logits), self.sampling, _NOTHING_SEEN, uniform)
        self.done = self.done or self.place == self._last
        self.place += 1
        self.steps_done += 1

    def preview(self) -> Latent | None:
        """The codes so far, in every n-th event."""
        wanted = self.preview_every > 0 and self.steps_done % self.preview_every == 0
        return self._so_far() if wanted else None

    def partial(self) -> Result | None:
        """The codes so far; None before the first."""
        so_far = self._so_far()
        return None if so_far is None else Result(self.index, so_far)

    def result(self) -> Result:
        """The codes. Raises `InvalidRequest` where the network overflowed."""
        if self.overflows:
            reason = "leads so far from all data that the network overflows"
            raise InvalidRequest("conditions.media", reason)
        return Result(self.index, latent_of_codes(self.space, self.codes), usage=Usage(generated_tokens=self._drawn))

    @property
    def _drawn(self) -> int:
        return int((~self.given).sum())

    def _led(self, logits: Logits) -> Logits:
        """Led from what is said without words towards what is said with them (Yu et al. 2022, section 3.1)."""
        told: Logits = logits[0]
        if len(logits) == 1:
            return told
        untold: Logits = logits[1]
        return untold + np.float32(self.scale) * (told - untold)

    def _so_far(self) -> Latent | None:
        """Places that are yet to come look like the first one: a picture's corner is its background, as a rule."""
        if not self.place or self.overflows:
            return None
        codes = self.codes.copy()
        codes.flat[self.place :] = np.where(self.given.flat[self.place :], codes.flat[self.place :], codes.flat[0])
        return latent_of_codes(self.space, codes)
