"""The rows of the cache stay with their sequences, whoever comes, pauses and goes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sextant.families.transformer.kv_slots import KvSlots, Slot


@given(choices=st.data())
def test_a_sequence_finds_its_own_tokens_wherever_its_row_was_moved(choices: Any) -> None:
    slots = KvSlots(caches=2, max_slots=5, kv_heads=2, max_len=8, head_dim=3)
    marks: dict[Slot, list[float]] = {}
    next_mark = 1.0
    for _ in range(choices.draw(st.integers(1, 30))):
        action = choices.draw(st.sampled_from(["join", "leave", "step"]))
        held = list(marks)
        if action == "join" and len(held) < slots.max_slots:
            marks[slots.acquire()] = []
        elif action == "leave" and held:
            gone = choices.draw(st.sampled_from(held))
            slots.release(gone)
            del marks[gone]
        elif action == "step" and held:
            batch = choices.draw(st.lists(st.sampled_from(held), min_size=1, unique=True))
            slots.arrange(batch)
            assert sorted(slot.row for slot in batch) == list(range(len(batch)))
            for slot in batch:
                if slot.length < slots.max_len:
                    slots.memory[:, slot.row, :, slot.length] = next_mark
                    slot.length += 1
                    marks[slot].append(next_mark)
                    next_mark += 1
        assert len({slot.row for slot in marks}) == len(marks)
        for slot, expected in marks.items():
            found = slots.memory[:, slot.row, :, : slot.length]
            assert (found == np.array(expected)[:, None]).all()


def test_a_batch_that_is_in_place_is_not_moved() -> None:
    slots = KvSlots(caches=1, max_slots=3, kv_heads=1, max_len=2, head_dim=1)
    first, second = slots.acquire(), slots.acquire()
    slots.arrange([second, first])
    assert (first.row, second.row) == (0, 1)


def test_a_freed_slot_is_given_again_and_empty() -> None:
    slots = KvSlots(caches=1, max_slots=1, kv_heads=1, max_len=2, head_dim=1)
    slot = slots.acquire()
    slot.length = 2
    with pytest.raises(IndexError):
        slots.acquire()
    slots.release(slot)
    with pytest.raises(ValueError, match="released already"):
        slots.release(slot)
    assert slots.acquire().length == 0
