"""An encoder's session: padding texts to a shared length, and running them in one call."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

PAD_MULTIPLE = 16


@dataclass(frozen=True, slots=True)
class EncodedRow:
    """What the network says of one text: its embedding float32[width], and logits float32[blanks, vocab]."""

    embedding: NDArray[np.float32]
    logits: NDArray[np.float32]


class EncoderNetwork:
    """An encoder for texts of up to `max_tokens` tokens. `has_head` says whether it can give logits for blanks."""

    def __init__(self, session: ort.InferenceSession, max_tokens: int) -> None:
        self._session, self.max_tokens = session, max_tokens
        self.has_head = any(output.name == "logits" for output in session.get_outputs())

    def padded_length(self, tokens: int) -> int:
        """The length that a text of that many tokens is padded to, whatever it is batched with."""
        return min(-(-tokens // PAD_MULTIPLE) * PAD_MULTIPLE, self.max_tokens)

    def run(self, texts: Sequence[NDArray[np.int64]], blanks: Sequence[Sequence[int]]) -> list[EncodedRow]:
        """Encode texts of one padded length. `blanks[i]` are the positions in texts[i] to get logits for."""
        lengths = np.array([len(ids) for ids in texts], dtype=np.int32)
        tokens = self.padded_length(int(lengths.max()))
        input_ids = np.zeros((len(texts), tokens), dtype=np.int64)
        for row, ids in enumerate(texts):
            input_ids[row, : len(ids)] = ids
        feeds = {"input_ids": input_ids, "lengths": lengths}
        if not self.has_head:
            (embeddings,) = self._session.run(["embedding"], feeds)
            none = np.empty((0, 0), dtype=np.float32)
            return [EncodedRow(embedding, none) for embedding in embeddings]
        wanted = [row * tokens + position for row, positions in enumerate(blanks) for position in positions]
        feeds["blanks"] = np.array(wanted, dtype=np.int64)
        embeddings, logits = self._session.run(["embedding", "logits"], feeds)
        ends = np.cumsum([len(positions) for positions in blanks])
        parts = np.split(logits, ends[:-1])
        return [EncodedRow(embedding, part) for embedding, part in zip(embeddings, parts, strict=True)]
