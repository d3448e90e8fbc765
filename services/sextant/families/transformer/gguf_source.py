"""Decoders from GGUF files, the format of llama.cpp (github.com/ggml-org/ggml, docs/gguf.md)."""

from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize
from numpy.typing import NDArray
from pydantic import ValidationError

from sextant.bundles.verify import explain
from sextant.contract.errors import BundleRefused
from sextant.families.transformer.decoder_config import DecoderConfig, TokenIds
from sextant.families.transformer.gguf_tokenizer import rebuild_tokenizer
from sextant.families.transformer.weights import DecoderSource

_TOP_NAMES = {"token_embd": "embed", "output_norm": "final_norm", "output": "head"}
_LAYER_NAMES = {
    "attn_norm": "attn_norm",
    "attn_q": "q",
    "attn_k": "k",
    "attn_v": "v",
    "attn_output": "o",
    "ffn_norm": "mlp_norm",
    "ffn_gate": "gate",
    "ffn_up": "up",
    "ffn_down": "down",
}
# Older models name their separator of documents only by what it is called.
_END_OF_TEXT = "<|endoftext|>"


class _Fields:
    """The key-value part of a GGUF file; `BundleRefused` where a needed key is missing."""

    def __init__(self, reader: GGUFReader, bundle: str) -> None:
        self._reader, self.bundle = reader, bundle

    def get(self, key: str, default: Any = None) -> Any:
        field = self._reader.get_field(key)
        return default if field is None else field.contents()

    def need(self, key: str) -> Any:
        value = self.get(key)
        if value is None:
            raise BundleRefused(self.bundle, f"the GGUF file lacks {key}")
        return value


def read_gguf(path: Path, bundle: str) -> DecoderSource:
    """The decoder in the GGUF file at `path`, de-quantised. Raises `BundleRefused`."""
    try:
        reader = GGUFReader(path)
    except (ValueError, IndexError, KeyError, OSError, OverflowError) as error:
        raise BundleRefused(bundle, f"{path.name} is not a whole GGUF file: {error}") from error
    fields = _Fields(reader, bundle)
    architecture = fields.need("general.architecture")
    if architecture != "llama":
        raise BundleRefused(bundle, f"GGUF models of architecture {architecture!r} cannot be imported; llama can")
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    tied = "output.weight" not in tensors
    if "token_embd.weight" not in tensors:
        raise BundleRefused(bundle, "the GGUF file lacks token_embd.weight")
    config = _config(fields, vocab_size=int(tensors["token_embd.weight"].shape[1]), tied=tied)
    weights = {}
    for name, tensor in tensors.items():
        canonical = _canonical_name(name, bundle)
        try:
            array = np.ascontiguousarray(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
        except (NotImplementedError, ValueError) as error:
            raise BundleRefused(bundle, f"{name} cannot be de-quantised: {error}") from error
        weights[canonical] = _to_half_rotated(array, canonical, config)
    tokens: list[str] = fields.need("tokenizer.ggml.tokens")
    tokenizer_json = rebuild_tokenizer(
        model=fields.need("tokenizer.ggml.model"),
        pre_tokenizer=fields.get("tokenizer.ggml.pre", "default"),
        tokens=tokens,
        token_types=fields.need("tokenizer.ggml.token_type"),
        merges=fields.need("tokenizer.ggml.merges"),
        bundle=bundle,
    )
    return DecoderSource(
        config, weights, _token_ids(fields, tokens), tokenizer_json, fields.get("tokenizer.chat_template")
    )


def _config(fields: _Fields, vocab_size: int, tied: bool) -> DecoderConfig:
    scaling = fields.get("llama.rope.scaling.type", "none")
    if scaling != "none":
        raise BundleRefused(fields.bundle, f"rope scaling of type {scaling!r} is not supported")
    if fields.get("llama.expert_count", 0):
        raise BundleRefused(fields.bundle, "mixtures of experts are not supported")
    width, heads = fields.need("llama.embedding_length"), fields.need("llama.attention.head_count")
    if not (isinstance(width, int) and isinstance(heads, int) and heads > 0):
        raise BundleRefused(fields.bundle, f"a width of {width} and {heads} heads do not make a decoder")
    head_dim = fields.get("llama.attention.key_length", width // heads)
    if fields.get("llama.rope.dimension_count", head_dim) != head_dim:
        raise BundleRefused(fields.bundle, "rotary positions over a part of each head are not supported")
    try:
        return DecoderConfig(
            architecture="llama",
            vocab_size=vocab_size,
            width=width,
            layers=fields.need("llama.block_count"),
            heads=heads,
            kv_heads=fields.get("llama.attention.head_count_kv", heads),
            head_dim=head_dim,
            mlp_width=fields.need("llama.feed_forward_length"),
            max_positions=fields.need("llama.context_length"),
            norm_epsilon=fields.need("llama.attention.layer_norm_rms_epsilon"),
            rope_theta=fields.get("llama.rope.freq_base", 10_000.0),
            tied_embeddings=tied,
        )
    except ValidationError as error:
        raise BundleRefused(fields.bundle, explain(error)) from error


def _token_ids(fields: _Fields, tokens: list[str]) -> TokenIds:
    """Which tokens start and end texts; see `TokenIds`. The separator of documents, if any, does both."""
    separator = tokens.index(_END_OF_TEXT) if _END_OF_TEXT in tokens else None
    prepends = bool(fields.get("tokenizer.ggml.add_bos_token", False))
    start = fields.get("tokenizer.ggml.bos_token_id")
    if separator is not None and not prepends:
        start = separator
    named = (fields.get("tokenizer.ggml.eos_token_id"), fields.get("tokenizer.ggml.eot_token_id"), separator)
    end = tuple(dict.fromkeys(token for token in named if token is not None))
    return TokenIds(start=start, end=end, prepends_start=prepends)


def _canonical_name(name: str, bundle: str) -> str:
    match name.split("."):
        case [top, "weight"] if top in _TOP_NAMES:
            return _TOP_NAMES[top]
        case ["blk", layer, part, "weight"] if part in _LAYER_NAMES:
            return f"layers.{layer}.{_LAYER_NAMES[part]}"
        case ["blk", layer, part, "bias"] if part in _LAYER_NAMES:
            return f"layers.{layer}.{_LAYER_NAMES[part]}.bias"
        case _:
            raise BundleRefused(bundle, f"the GGUF file holds {name}, which no model we compute has")


def _to_half_rotated(array: NDArray[np.float32], name: str, config: DecoderConfig) -> NDArray[np.float32]:
    """llama.cpp turns dimensions 2i and 2i + 1 together, Hugging Face i and i + head_dim / 2: reorder q and k."""
    part = name.removesuffix(".bias").rpartition(".")[2]
    if part not in ("q", "k"):
        return array
    pairs = array.reshape(-1, config.head_dim // 2, 2, *array.shape[1:])
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(array.shape)
