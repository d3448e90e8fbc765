"""Which bytes each token of a vocabulary stands for."""

import json
import re
from typing import Any

_BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")


def token_bytes(tokenizer_json: str) -> list[bytes]:
    """The bytes of every token by its id, added tokens included. Raises `ValueError` for other kinds of tokenizer.

    Byte-level tokens (Radford et al. 2019) spell each byte as one printable character; SentencePiece's are plain
    text with "▁" for the space, and "<0xAB>" for bytes that no other token has.
    """
    content = json.loads(tokenizer_json)
    decoders = _decoders(content.get("decoder"))
    kinds = {decoder["type"] for decoder in decoders}
    vocabulary = _vocabulary(content["model"])
    added = {token["content"]: token["id"] for token in content.get("added_tokens", [])}
    size = 1 + max([*(index for _, index in vocabulary), *added.values()], default=-1)
    table = [b""] * size
    if "ByteLevel" in kinds:
        byte_of = _byte_of_character()
        for token, index in vocabulary:
            # Characters outside the alphabet only occur in special tokens, which stand for themselves.
            known = all(character in byte_of for character in token)
            table[index] = bytes(byte_of[character] for character in token) if known else token.encode()
    elif kinds & {"ByteFallback", "Metaspace"}:
        for token, index in vocabulary:
            byte = _BYTE_TOKEN.fullmatch(token)
            table[index] = bytes([int(byte[1], 16)]) if byte else token.replace("▁", " ").encode()
    else:
        raise ValueError(f"tokenizers that decode by {sorted(kinds) or 'nothing'} are not supported")
    for token, index in added.items():
        table[index] = token.encode()
    return table


def starts_with_space(tokenizer_json: str) -> bool:
    """Whether texts begin with a space that the tokenizer put there, as SentencePiece's do."""
    decoders = _decoders(json.loads(tokenizer_json).get("decoder"))
    return any(
        (decoder["type"] == "Metaspace" and decoder.get("prepend_scheme") != "never")
        or (decoder["type"] == "Strip" and decoder.get("content") == " " and decoder.get("start", 0) > 0)
        for decoder in decoders
    )


def _vocabulary(model: dict[str, Any]) -> list[tuple[str, int]]:
    """Tokens with their ids; Unigram (Kudo 2018) lists them in order, with their scores."""
    found: dict[str, int] | list[tuple[str, float]] = model["vocab"]
    return (
        list(found.items()) if isinstance(found, dict) else [(token, index) for index, (token, _) in enumerate(found)]
    )


def _decoders(decoder: dict[str, Any] | None) -> list[dict[str, Any]]:
    if decoder is None:
        return []
    return decoder["decoders"] if decoder["type"] == "Sequence" else [decoder]


def _byte_of_character() -> dict[str, int]:
    """GPT-2's alphabet: printable Latin-1 bytes stand for themselves, the others for characters from U+0100 on."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    alphabet = {chr(byte): byte for byte in printable}
    alphabet.update({chr(256 + place): byte for place, byte in enumerate(others)})
    return alphabet
