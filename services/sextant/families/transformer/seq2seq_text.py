"""What an encoder-decoder reads, as tokens. What it writes is `text.TextCodec`'s."""

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from sextant.bundles.store import Bundle
from sextant.contract.errors import BundleRefused, InvalidRequest
from sextant.families.transformer.decoder_config import TokenIds
from sextant.families.transformer.seq2seq_config import Seq2SeqNetworkConfig
from sextant.families.transformer.text import TextCodec
from sextant.families.transformer.token_bytes import starts_with_space

TOKENIZER_FILE = "tokenizer.json"
# Where what is read is spelled otherwise than what is written. Ours: Hugging Face directories have one tokenizer.
SOURCE_TOKENIZER_FILE = "source_tokenizer.json"


class SourceText:
    """Tokens of what is read, at most `most_tokens` with `end` after them, if there is one.

    With `refuses_unknown`, what the tokenizer has no token of its own for is refused.
    """

    def __init__(self, tokenizer_json: str, end: int | None, most_tokens: int, *, refuses_unknown: bool) -> None:
        self._tokenizer = Tokenizer.from_str(tokenizer_json)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._end = [] if end is None else [end]
        self._most_tokens = most_tokens
        unknown = getattr(self._tokenizer.model, "unk_token", None) if refuses_unknown else None
        self._unknown = None if unknown is None else self._tokenizer.token_to_id(unknown)

    def ids(self, text: str, field: str) -> NDArray[np.int64]:
        """The tokens int64[n] of `text`. Raises `InvalidRequest` about `field`."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        for token, (first, last) in zip(encoding.ids, encoding.offsets, strict=True):
            if token == self._unknown:
                raise InvalidRequest(field, f"holds {text[first:last]!r}, which the model cannot read")
        if not encoding.ids:
            raise InvalidRequest(field, "must not be empty: it is what the model reads")
        ids = np.array(encoding.ids + self._end, np.int64)
        if len(ids) > self._most_tokens:
            raise InvalidRequest(field, f"has {len(ids)} tokens; the model holds {self._most_tokens}")
        return ids


class WrittenText(TextCodec):
    """Tokens of what is written; `leading_space`: the tokenizer puts a space before a text, which is none of it."""

    def __init__(self, tokenizer_json: str, token_ids: TokenIds, vocab_size: int) -> None:
        super().__init__(tokenizer_json, None, token_ids, vocab_size)
        self.leading_space = starts_with_space(tokenizer_json)


def load_texts(bundle: Bundle, config: Seq2SeqNetworkConfig) -> tuple[SourceText, WrittenText]:
    """The tokenizers of a bundle: of what is read, and of what is written. Raises `BundleRefused`."""
    manifest = bundle.manifest
    written = bundle.file(TOKENIZER_FILE).read_text("utf-8")
    own = SOURCE_TOKENIZER_FILE in manifest.files
    read = bundle.file(SOURCE_TOKENIZER_FILE).read_text("utf-8") if own else None
    return texts(manifest.name, written, read, config, manifest.context_tokens)


def texts(
    bundle: str, written: str, read: str | None, config: Seq2SeqNetworkConfig, most_tokens: int
) -> tuple[SourceText, WrittenText]:
    """The tokenizers of the contents of their files; `read` None: the same. Raises `BundleRefused`."""
    tokens, vocab = config.tokens, config.model.vocab_size
    try:
        codec = WrittenText(written, TokenIds(end=tokens.end), vocab)
        if read is None:
            return SourceText(written, tokens.source_end, most_tokens, refuses_unknown=False), codec
        if max(Tokenizer.from_str(read).get_vocab().values(), default=0) >= vocab:
            raise ValueError(f"{SOURCE_TOKENIZER_FILE} has tokens that the network has not")
        return SourceText(read, tokens.source_end, most_tokens, refuses_unknown=True), codec
    except Exception as error:  # `tokenizers` raises nothing more specific
        raise BundleRefused(bundle, f"its tokenizer cannot be used: {error}") from error
