"""Running a decoder's graph on its slots: no array is allocated or copied between steps.

The caches, the inputs and the logits all stay at fixed places in memory, so a decode call's bindings are made
once for each batch size; a step only writes the new tokens and lengths. The caches are in host memory whatever
the provider, since GroupQueryAttention in float32 exists for the CPU alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from sextant.families.transformer.decoder_config import DecoderConfig
from sextant.families.transformer.decoder_graph import past_names, present_names
from sextant.families.transformer.kv_slots import KvSlots, Slot

Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Call:
    """A bound call: write into the arrays, run, read `logits`."""

    binding: Any
    input_ids: NDArray[np.int64]
    seqlens_k: NDArray[np.int32]
    total: NDArray[np.int32]
    logits: Logits

    def run(self, session: ort.InferenceSession) -> Logits:
        session.run_with_iobinding(self.binding)
        return self.logits


class DecoderNetwork:
    """A decoder with `max_slots` slots of `max_len` tokens each. `chunk` is the most tokens of one prefill call.

    What it returns is overwritten by its next call.
    """

    def __init__(
        self, session: ort.InferenceSession, config: DecoderConfig, *, max_slots: int, max_len: int, chunk: int
    ) -> None:
        self._session, self._config, self._chunk = session, config, chunk
        self.slots = KvSlots(2 * config.layers, max_slots, config.kv_heads, max_len, config.head_dim)
        self._ids = np.zeros((max_slots, 1), dtype=np.int64)
        self._positions = np.arange(max(max_slots, chunk), dtype=np.int64)
        self._seqlens_k = np.zeros(max_slots, dtype=np.int32)
        self._total = np.zeros((), dtype=np.int32)
        # Pages of this, too, are only taken when they are first written: scoring needs them all, decoding few.
        self._logits = np.empty((max(max_slots, chunk), config.vocab_size), dtype=np.float32)
        self._decode_calls: dict[int, _Call] = {}

    def prefill(self, slot: Slot, ids: NDArray[np.int64], wanted: int = 1) -> Logits:
        """Read the next tokens int64[t] of one sequence, t up to `chunk`.

        Returns the logits [wanted, vocab] after each of the last `wanted` tokens.
        """
        tokens = len(ids)
        call = self._bind(
            slice(slot.row, slot.row + 1), np.ascontiguousarray(ids[None]), self._positions[tokens - wanted : tokens]
        )
        slot.length += tokens
        call.seqlens_k[:] = slot.length - 1
        call.total[...] = slot.length
        return call.run(self._session)

    def decode(self, slots: Sequence[Slot], ids: Sequence[int]) -> Logits:
        """Read one token of each of several sequences. Returns [rows, vocab], in the order of the slots' ROWS.

        Rows are arranged first, so read a slot's row afterwards.
        """
        self.slots.arrange(slots)
        rows = len(slots)
        call = self._decode_calls.get(rows)
        if call is None:
            call = self._bind(slice(0, rows), self._ids[:rows], self._positions[:rows])
            self._decode_calls[rows] = call
        for slot, token in zip(slots, ids, strict=True):
            call.input_ids[slot.row, 0] = token
            call.seqlens_k[slot.row] = slot.length
            slot.length += 1
        call.total[...] = max(slot.length for slot in slots)
        return call.run(self._session)

    def _bind(self, rows: slice, ids: NDArray[np.int64], positions: NDArray[np.int64]) -> _Call:
        """Bind every input and output to its place. The arrays must outlive the call."""
        binding = self._session.io_binding()
        logits = self._logits[: len(positions)]
        seqlens_k = self._seqlens_k[rows]
        inputs: dict[str, NDArray[Any]] = {
            "input_ids": ids,
            "seqlens_k": seqlens_k,
            "total_sequence_length": self._total,
            "logit_positions": positions,
        }
        for name, array in inputs.items():
            _bind_input(binding, name, array)
        _bind_output(binding, "logits", logits)
        layers = self._config.layers
        for cache, past, present in zip(self.slots.memory, past_names(layers), present_names(layers), strict=True):
            _bind_input(binding, past, cache[rows])
            _bind_output(binding, present, cache[rows])
        return _Call(binding, ids, seqlens_k, self._total, logits)


def _bind_input(binding: Any, name: str, array: NDArray[Any]) -> None:
    binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)


def _bind_output(binding: Any, name: str, array: NDArray[Any]) -> None:
    binding.bind_output(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
