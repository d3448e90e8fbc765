"""Rebuilding a byte-level BPE tokenizer from the lists that a GGUF file holds."""

from collections.abc import Sequence

from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Digits, PreTokenizer, Split
from tokenizers.pre_tokenizers import Sequence as PreTokenizers

from sextant.contract.errors import BundleRefused

_CONTROL, _USER_DEFINED = 3, 4  # enum llama_token_type

# How llama.cpp's named pre-tokenizers cut a text into words, in terms of the `tokenizers` library.
_LLAMA_3_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _pre_tokenizer(name: str) -> PreTokenizer | None:
    if name in ("gpt-2", "default"):
        return ByteLevel(add_prefix_space=False)
    if name == "smollm":
        return PreTokenizers([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)])
    if name == "llama-bpe":
        words = Split(Regex(_LLAMA_3_WORDS), behavior="isolated")
        return PreTokenizers([words, ByteLevel(add_prefix_space=False, use_regex=False)])
    return None


def rebuild_tokenizer(
    *,
    model: str,
    pre_tokenizer: str,
    tokens: Sequence[str],
    token_types: Sequence[int],
    merges: Sequence[str],
    bundle: str,
) -> str:
    """The tokenizer as tokenizer.json. Raises `BundleRefused` where it is of a kind we cannot rebuild exactly."""
    cutter = _pre_tokenizer(pre_tokenizer)
    if model != "gpt2" or cutter is None:
        raise BundleRefused(bundle, f"its tokenizer ({model!r}, words cut as {pre_tokenizer!r}) is not supported")
    vocabulary = {token: index for index, token in enumerate(tokens)}
    pairs = [(left, right) for left, _, right in (merge.partition(" ") for merge in merges)]
    try:
        # Whole words that are tokens stay whole in LLaMA 3, even where no merges lead to them.
        bpe = BPE(vocab=vocabulary, merges=pairs, ignore_merges=pre_tokenizer == "llama-bpe")
    except Exception as error:  # `tokenizers` raises nothing more specific
        raise BundleRefused(bundle, f"its tokens and merges do not make a tokenizer: {error}") from error
    tokenizer = Tokenizer(bpe)
    tokenizer.pre_tokenizer = cutter
    tokenizer.decoder = ByteLevelDecoder()
    added = [
        AddedToken(token, special=kind == _CONTROL, normalized=False)
        for token, kind in zip(tokens, token_types, strict=True)
        if kind in (_CONTROL, _USER_DEFINED)
    ]
    tokenizer.add_tokens(added)
    return tokenizer.to_str()
