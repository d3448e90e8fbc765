"""T5 from a Hugging Face directory: config.json, safetensors, tokenizer.json.

Canonical names, all float32, matrices [out, in]:

    embed [vocab, width]                             head [vocab, width]     (where not tied to `embed`)
    encoder.positions, decoder.positions [buckets, heads]
    encoder.norm, decoder.norm [width]
    S.N.attn_norm, S.N.mlp_norm [width]              S.N.q, S.N.k, S.N.v [heads * head_dim, width]
    S.N.o [width, heads * head_dim]                  S.N.up, S.N.gate (gated) [mlp_width, width]
    S.N.down [width, mlp_width]                      with S "encoder" or "decoder", N the layer, and for the decoder
    S.N.cross_norm, S.N.cross_q, S.N.cross_k, S.N.cross_v, S.N.cross_o
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from sextant.bundles.verify import explain
from sextant.contract.errors import BundleRefused
from sextant.families.transformer.huggingface_files import must_be, read_object, read_tensors
from sextant.families.transformer.seq2seq_config import Seq2SeqConfig, Seq2SeqTokens
from sextant.families.transformer.seq2seq_text import SOURCE_TOKENIZER_FILE, TOKENIZER_FILE
from sextant.families.transformer.weights import Weights

_WHOLE = {
    "shared.weight": "embed",
    "lm_head.weight": "head",
    "encoder.final_layer_norm.weight": "encoder.norm",
    "decoder.final_layer_norm.weight": "decoder.norm",
    "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight": "encoder.positions",
    "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight": "decoder.positions",
}
# Copies of `embed` that some checkpoints store.
_COPIES = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
_BLOCK = re.compile(r"(encoder|decoder)\.block\.(\d+)\.layer\.(\d)\.(.+)\.weight")
_PARTS = {
    "SelfAttention.q": "q",
    "SelfAttention.k": "k",
    "SelfAttention.v": "v",
    "SelfAttention.o": "o",
    "EncDecAttention.q": "cross_q",
    "EncDecAttention.k": "cross_k",
    "EncDecAttention.v": "cross_v",
    "EncDecAttention.o": "cross_o",
    "DenseReluDense.wi": "up",
    "DenseReluDense.wi_0": "gate",
    "DenseReluDense.wi_1": "up",
    "DenseReluDense.wo": "down",
}
_NORMS = {"encoder": ("attn_norm", "mlp_norm"), "decoder": ("attn_norm", "cross_norm", "mlp_norm")}


@dataclass(frozen=True)
class Seq2SeqSource:
    """Everything an import needs."""

    config: Seq2SeqConfig
    weights: Weights
    tokens: Seq2SeqTokens
    tokenizer_json: str
    source_tokenizer_json: str | None


def read_seq2seq(directory: Path, bundle: str) -> Seq2SeqSource:
    """The T5 in `directory`. Raises `BundleRefused` where it is damaged or needs something we do not compute."""
    content = read_object(directory / "config.json", bundle)
    weights: dict[str, NDArray[np.float32]] = {}
    for name, array in read_tensors(directory, bundle).items():
        if name not in _COPIES:
            weights[_canonical_name(name, bundle)] = array
    if "head" in weights and "embed" in weights and np.array_equal(weights["head"], weights["embed"]):
        del weights["head"]
    config = _config(content, "head" not in weights, bundle)
    for name, shape in expected_shapes(config):
        if name not in weights:
            raise BundleRefused(bundle, f"the weights lack {name}")
        if weights[name].shape != shape:
            raise BundleRefused(bundle, f"{name} has shape {weights[name].shape}, its sizes say {shape}")
        if not np.isfinite(weights[name]).all():
            raise BundleRefused(bundle, f"{name} holds numbers that are not finite")
    return Seq2SeqSource(
        config,
        weights,
        _tokens(content, bundle),
        json.dumps(read_object(directory / TOKENIZER_FILE, bundle), ensure_ascii=False),
        _source_tokenizer(directory, bundle),
    )


def expected_shapes(config: Seq2SeqConfig) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The canonical weights that a model must have."""
    width, inner = config.width, config.heads * config.head_dim
    yield "embed", (config.vocab_size, width)
    if not config.tied_head:
        yield "head", (config.vocab_size, width)
    for stack, layers in (("encoder", config.encoder_layers), ("decoder", config.decoder_layers)):
        yield f"{stack}.positions", (config.buckets, config.heads)
        yield f"{stack}.norm", (width,)
        for layer in range(layers):
            name = f"{stack}.{layer}"
            for norm in _NORMS[stack]:
                yield f"{name}.{norm}", (width,)
            for prefix in ("", "cross_") if stack == "decoder" else ("",):
                for part in "qkv":
                    yield f"{name}.{prefix}{part}", (inner, width)
                yield f"{name}.{prefix}o", (width, inner)
            for part in ("gate", "up") if config.gated else ("up",):
                yield f"{name}.{part}", (config.mlp_width, width)
            yield f"{name}.down", (width, config.mlp_width)


def _canonical_name(name: str, bundle: str) -> str:
    if name in _WHOLE:
        return _WHOLE[name]
    if found := _BLOCK.fullmatch(name):
        stack, layer, place, part = found.groups()
        if part == "layer_norm" and int(place) < len(_NORMS[stack]):
            return f"{stack}.{layer}.{_NORMS[stack][int(place)]}"
        if part in _PARTS:
            return f"{stack}.{layer}.{_PARTS[part]}"
    raise BundleRefused(bundle, f"the weights hold {name}, which no model we compute has")


def _config(content: dict[str, Any], tied_head: bool, bundle: str) -> Seq2SeqConfig:
    must_be(content, "feed_forward_proj", ("relu", "gated-gelu"), bundle, file="config.json")
    # Version 5 of transformers writes whether to scale; before, a tied head was scaled.
    scaled = content.get("scale_decoder_outputs", content.get("tie_word_embeddings", True))
    try:
        return Seq2SeqConfig(
            vocab_size=content["vocab_size"],
            width=content["d_model"],
            heads=content["num_heads"],
            head_dim=content["d_kv"],
            mlp_width=content["d_ff"],
            encoder_layers=content["num_layers"],
            decoder_layers=content.get("num_decoder_layers") or content["num_layers"],
            buckets=content.get("relative_attention_num_buckets", 32),
            max_distance=content.get("relative_attention_max_distance", 128),
            norm_epsilon=content.get("layer_norm_epsilon", 1e-6),
            gated=content.get("feed_forward_proj", "relu") == "gated-gelu",
            scaled_logits=scaled,
            tied_head=tied_head,
        )
    except KeyError as error:
        raise BundleRefused(bundle, f"config.json lacks {error}") from error
    except ValidationError as error:
        raise BundleRefused(bundle, f"config.json: {explain(error)}") from error


def _source_tokenizer(directory: Path, bundle: str) -> str | None:
    found = read_object(directory / SOURCE_TOKENIZER_FILE, bundle, required=False)
    return json.dumps(found, ensure_ascii=False) if found else None


def _tokens(content: dict[str, Any], bundle: str) -> Seq2SeqTokens:
    """T5 starts what it writes with its padding token, and ends what it reads like what it writes."""
    end = content.get("eos_token_id", 1)
    start: Any = content.get("decoder_start_token_id", content.get("pad_token_id"))
    try:
        ends = tuple(end) if isinstance(end, list) else (end,)
        return Seq2SeqTokens(start=start, end=ends, source_end=ends[0])
    except ValidationError as error:
        raise BundleRefused(bundle, f"config.json: {explain(error)}") from error
