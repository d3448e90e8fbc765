"""The memory of a decoder: one row of keys and values per sequence, all rows in one block.

A decode call reads rows [0, n) where they lie, so the sequences of a batch must be the first rows. Sequences
join, pause and leave at any step; a row is moved only when it must make room or close a gap, and then only as
much of it as is in use.
"""

import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

_FLOAT32_BYTES = 4


@dataclass(slots=True, eq=False)
class Slot:
    """One sequence's place: its row, which may change, and how many tokens of it are filled."""

    row: int
    length: int = 0


class KvSlots:
    """`max_slots` rows. `memory` is float32[caches, max_slots, kv_heads, max_len, head_dim].

    `caches` counts keys and values of every layer. Pages of memory are taken from the system only when a
    sequence first reaches them.
    """

    def __init__(self, caches: int, max_slots: int, kv_heads: int, max_len: int, head_dim: int) -> None:
        self.memory = _lazy_memory((caches, max_slots, kv_heads, max_len, head_dim))
        self.max_slots, self.max_len = max_slots, max_len
        self._owners: list[Slot | None] = [None] * max_slots

    def acquire(self) -> Slot:
        """An empty slot. Raises `IndexError` where all are taken: the scheduler must not let that happen."""
        row = next((row for row, owner in enumerate(self._owners) if owner is None), None)
        if row is None:
            raise IndexError(f"all {self.max_slots} slots are taken")
        slot = self._owners[row] = Slot(row)
        return slot

    def release(self, slot: Slot) -> None:
        """Free a slot that `acquire` gave."""
        if self._owners[slot.row] is not slot:
            raise ValueError("the slot was released already")
        self._owners[slot.row] = None

    def arrange(self, slots: Sequence[Slot]) -> None:
        """Make `slots` the first rows, in whatever order moves least."""
        chosen = set(slots)
        gaps = [row for row in range(len(slots)) if self._owners[row] not in chosen]
        outside = [slot for slot in slots if slot.row >= len(slots)]
        for gap, slot in zip(gaps, outside, strict=True):
            self._swap(slot.row, gap)

    def _swap(self, row: int, other: int) -> None:
        slot, displaced = self._owners[row], self._owners[other]
        kept = None if displaced is None else self.memory[:, other, :, : displaced.length].copy()
        if slot is not None:
            self.memory[:, other, :, : slot.length] = self.memory[:, row, :, : slot.length]
            slot.row = other
        if displaced is not None:
            self.memory[:, row, :, : displaced.length] = kept
            displaced.row = row
        self._owners[row], self._owners[other] = displaced, slot


def _lazy_memory(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Zeros float32 in memory that is taken page by page as it is written.

    Not by `np.empty`, which asks for huge pages: a new row then takes all it could ever need at its first token
    (with SmolLM2-135M 123 MB and 0.26 s, against 2 MB and no measurable time for a prompt of 40).
    """
    memory = mmap.mmap(-1, prod(shape) * _FLOAT32_BYTES)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory, dtype=np.float32).reshape(shape)
