"""The shape that every family has: a batchable, resumable process of steps over a network.

A language model takes one step per token, diffusion one per denoising step, PixelCNN one per pixel, a GAN
exactly one. The step scheduler knows nothing but this file, so what it does for one family it does for all.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sextant.contract.events import Result, TextDelta
from sextant.contract.media import Audio, Media
from sextant.contract.tasks import Task
from sextant.runtime.rng import RequestRng


@dataclass(frozen=True, slots=True)
class Limits:
    """What a sampler can carry: rows in one network call, and slots (KV rows, state rows) held at a time."""

    rows_per_step: int
    slots: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What a task takes of the limits: rows in each of its calls (guidance doubles them), and slots."""

    rows: int = 1
    slots: int = 1


class SamplerState(Protocol):
    """What the scheduler reads of a state; all else in it is the family's own."""

    done: bool
    steps_done: int
    steps_total: int  # 0 where not known beforehand: no progress events then, chunks tell the progress


S = TypeVar("S", bound=SamplerState)


class Sampler(Protocol[S]):
    """One model's network as a process of steps. NumPy in, NumPy out; no torch.

    All calls come from one thread, never two at a time. Randomness comes from `rng` alone, keyed by what is
    drawn, so that a state's output does not depend on batch mates, replica or resumption.
    """

    limits: Limits

    def cost(self, task: Task) -> Cost:
        """What `task` will take. Cheap: it is asked at admission, before `start`."""
        ...

    def start(self, task: Task, rng: RequestRng) -> S:
        """Check the task against the bundle (`InvalidRequest`, `UnsupportedTask`) and take what it needs."""
        ...

    def group(self, state: S) -> Hashable:
        """States of equal group can share the next call; it may change from step to step."""
        ...

    def step(self, states: Sequence[S]) -> None:
        """Advance every state by one step in ONE network call. All states are of one group."""
        ...

    def delta(self, state: S) -> TextDelta | Audio | None:
        """What became final in the last step; None where there is nothing to stream."""
        ...

    def preview(self, state: S) -> Media | None:
        """The best current estimate, for a progress event; None where not wanted or not to be had."""
        ...

    def partial(self, state: S) -> Result | None:
        """The best estimate so far as the item, for a caller whose deadline comes first; None where there is none."""
        ...

    def result(self, state: S) -> Result:
        """The item. Valid once, when `state.done`; its `item` is the task's index."""
        ...

    def release(self, state: S) -> None:
        """Free what `start` took: finished, cancelled or expired. Called exactly once."""
        ...
