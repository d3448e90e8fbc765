"""An encoder's session: padding texts to a shared length, and running them in one call."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

PAD_MULTIPLE = 16


@dataclass(frozen=True, slots=True)
class EncodedRow:
    """What the network says of one text: its embedding float32[width], and logits float32[blanks, vocab].

    `states` float32[tokens, width] are the last layer's, where they were asked for.
    """

    embedding: NDArray[np.float32]
    logits: NDArray[np.float32]
    states: NDArray[np.float32] | None = None


class EncoderNetwork:
    """An encoder for texts of up to `max_tokens` tokens.

    `has_head` says whether it can give logits for blanks, `has_states` whether it can give the states of all tokens.
    """

    def __init__(self, session: ort.InferenceSession, max_tokens: int) -> None:
        self._session, self.max_tokens = session, max_tokens
        outputs = {output.name for output in session.get_outputs()}
        self.has_head, self.has_states = "logits" in outputs, "states" in outputs

    def padded_length(self, tokens: int) -> int:
        """The length that a text of that many tokens is padded to, whatever it is batched with."""
        return min(-(-tokens // PAD_MULTIPLE) * PAD_MULTIPLE, self.max_tokens)

    def run(
        self, texts: Sequence[NDArray[np.int64]], blanks: Sequence[Sequence[int]], *, states: bool = False
    ) -> list[EncodedRow]:
        """Encode texts of one padded length. `blanks[i]` are the positions in texts[i] to get logits for."""
        lengths = np.array([len(ids) for ids in texts], dtype=np.int32)
        tokens = self.padded_length(int(lengths.max()))
        input_ids = np.zeros((len(texts), tokens), dtype=np.int64)
        for row, ids in enumerate(texts):
            input_ids[row, : len(ids)] = ids
        feeds = {"input_ids": input_ids, "lengths": lengths}
        wanted = ["embedding"]
        if self.has_head:
            places = [row * tokens + position for row, positions in enumerate(blanks) for position in positions]
            feeds["blanks"] = np.array(places, dtype=np.int64)
            wanted.append("logits")
        if states:
            wanted.append("states")
        found = dict(zip(wanted, self._session.run(wanted, feeds), strict=True))
        logits = [np.empty((0, 0), dtype=np.float32)] * len(texts)
        if self.has_head:
            ends = np.cumsum([len(positions) for positions in blanks])
            logits = np.split(found["logits"], ends[:-1])
        return [
            EncodedRow(embedding, part, found["states"][row, : lengths[row]] if states else None)
            for row, (embedding, part) in enumerate(zip(found["embedding"], logits, strict=True))
        ]
