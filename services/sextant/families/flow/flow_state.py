"""One item on its way through a flow: to z, to x, or to z and back with a move in between."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sextant.contract.events import Likelihood, Result
from sextant.contract.media import Media
from sextant.families.row_states import Rows

FORWARD, INVERSE = "forward", "inverse"
Finish = Callable[[Rows], Media | Likelihood]
_INPUT_OF = {FORWARD: "x", INVERSE: "z"}


@dataclass(slots=True)
class FlowState:
    """`rows` go through `network`, at most `chunk` a step; `finish` makes the item of all outputs, row for row.

    With a `move`, float32[d], `network` is the forward one: z + move then takes the way back.
    """

    index: int
    network: str
    rows: NDArray[np.float32]
    chunk: int
    finish: Finish
    move: NDArray[np.float32] | None = None
    made: list[Rows] = field(default_factory=list)
    taken: int = 0
    done: bool = False
    steps_done: int = 0
    steps_total: int = field(init=False)

    def __post_init__(self) -> None:
        calls = -(-len(self.rows) // self.chunk)
        self.steps_total = calls if self.move is None else 2 * calls

    def inputs(self) -> Rows:
        """The next rows."""
        return {_INPUT_OF[self.network]: self.rows[self.taken : self.taken + self.chunk]}

    def take(self, outputs: Rows) -> None:
        """What became of them."""
        self.made.append({name: output.copy() for name, output in outputs.items()})
        self.taken += self.chunk
        self.steps_done += 1
        if self.taken < len(self.rows):
            return
        if self.network == FORWARD and self.move is not None:
            self.rows = self._whole()["z"] + self.move
            self.network, self.made, self.taken = INVERSE, [], 0
        else:
            self.done = True

    def result(self) -> Result:
        """The item. Raises `InvalidRequest` where the network overflowed."""
        return Result(self.index, self.finish(self._whole()))

    def _whole(self) -> Rows:
        return {name: np.concatenate([part[name] for part in self.made]) for name in self.made[0]}
