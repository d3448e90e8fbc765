"""How far a decoder's graph is from the NumPy reference, and whether company changes its bytes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sextant.families.transformer.decoder_network import DecoderNetwork

_DECODE_STEPS = 8


@dataclass(frozen=True, slots=True)
class Difference:
    """The largest absolute error of any logit, and the same over the largest magnitude of the reference's."""

    max_abs: float
    max_rel: float


def measure_difference(
    network: DecoderNetwork, sequences: Sequence[NDArray[np.int64]], references: Sequence[NDArray[np.float64]]
) -> Difference:
    """Compares the logits after every token of `sequences`, each read in two chunks and then token by token.

    `references` are those that `reference.decoder_logits` gives for each sequence, [t, vocab].
    """
    worst_abs = worst_rel = 0.0
    for ids, expected in zip(sequences, references, strict=True):
        error = float(np.abs(_served_logits(network, ids) - expected).max())
        worst_abs = max(worst_abs, error)
        worst_rel = max(worst_rel, error / float(np.abs(expected).max()))
    return Difference(worst_abs, worst_rel)


def company_changes_nothing(network: DecoderNetwork, sequences: Sequence[NDArray[np.int64]]) -> bool:
    """Whether every sequence, repeated to fill all slots, decodes to the same bytes alone and in company."""
    places = range(network.slots.max_slots)
    wanted = [_decode([sequence], network)[0] for sequence in sequences]
    got = _decode([sequences[place % len(sequences)] for place in places], network)
    return all(np.array_equal(got[place], wanted[place % len(sequences)]) for place in places)


def _served_logits(network: DecoderNetwork, ids: NDArray[np.int64]) -> NDArray[np.float32]:
    slot = network.slots.acquire()
    cut, decoded = max(1, len(ids) // 3), max(2, 2 * len(ids) // 3)
    try:
        parts = [network.prefill(slot, part, len(part)).copy() for part in (ids[:cut], ids[cut:decoded]) if len(part)]
        parts += [network.decode([slot], [int(token)]).copy() for token in ids[decoded:]]
    finally:
        network.slots.release(slot)
    return np.concatenate(parts)


def _decode(sequences: Sequence[NDArray[np.int64]], network: DecoderNetwork) -> list[NDArray[np.float32]]:
    """The logits [steps, vocab] of a few decode steps of each sequence, all in company; the last tokens are fed."""
    slots = [network.slots.acquire() for _ in sequences]
    try:
        for slot, ids in zip(slots, sequences, strict=True):
            network.prefill(slot, ids)
        steps: list[NDArray[np.float32]] = []
        for step in range(_DECODE_STEPS):
            logits = network.decode(slots, [int(ids[-1 - step % len(ids)]) for ids in sequences])
            steps.append(logits[[slot.row for slot in slots]])
    finally:
        for slot in slots:
            network.slots.release(slot)
    return [np.stack([logits[place] for logits in steps]) for place in range(len(sequences))]
