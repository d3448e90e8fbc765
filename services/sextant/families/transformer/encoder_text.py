"""From text to an encoder's tokens, and from filled blanks back to text."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class Blank:
    """A mask token in a text: `position` among the tokens; `start` and `end` in characters."""

    position: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class EncodedText:
    """A text's tokens int64[t], with the marks that the model puts around every text, and its blanks."""

    ids: NDArray[np.int64]
    blanks: tuple[Blank, ...]


class EncoderText:
    """A tokenizer. `mask_token` is what a blank is written as; None: texts have no blanks."""

    def __init__(self, tokenizer_json: str, mask_token: str | None) -> None:
        self._tokenizer = Tokenizer.from_str(tokenizer_json)
        # Many files carry these from training, and would cut texts off without a word.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._mask_token = mask_token
        self._mask_id = None if mask_token is None else self._tokenizer.token_to_id(mask_token)
        # How WordPiece writes a token that continues a word, "##" in BERT.
        self._continuing: str = json.loads(tokenizer_json)["model"].get("continuing_subword_prefix") or ""
        # The tokens that it knows, in order; networks may have more.
        self.known_ids = np.array(sorted(self._tokenizer.get_vocab(with_added_tokens=True).values()), dtype=np.int64)

    @property
    def has_mask(self) -> bool:
        """Whether blanks can be written."""
        return self._mask_id is not None

    def encode(self, text: str) -> EncodedText:
        """The tokens of `text`; special tokens written out in it are read as such."""
        encoding = self._tokenizer.encode(text)
        blanks = []
        if self._mask_id is not None and self._mask_token is not None:
            for position, token in enumerate(encoding.ids):
                if token == self._mask_id:
                    start, end = encoding.offsets[position]
                    # Some tokenizers count the spaces beside a mask token as part of it.
                    start = text.index(self._mask_token, start, end)
                    blanks.append(Blank(position, start, start + len(self._mask_token)))
        return EncodedText(np.asarray(encoding.ids, dtype=np.int64), tuple(blanks))

    def token(self, index: int) -> str:
        """One of the known tokens, as the vocabulary writes it."""
        token = self._tokenizer.id_to_token(index)
        if token is None:
            raise KeyError(index)
        return token

    def fill(self, text: str, blanks: Sequence[Blank], tokens: Sequence[str]) -> str:
        """`text` with a token in place of each blank; one that continues a word is joined to what stands before."""
        filled, done = "", 0
        for blank, token in zip(blanks, tokens, strict=True):
            filled += text[done : blank.start]
            if self._continuing and token.startswith(self._continuing):
                filled, token = filled.rstrip(), token.removeprefix(self._continuing)
            filled += token
            done = blank.end
        return filled + text[done:]
