"""A decoder's weights and tokenizer in one canonical form, wherever they came from.

Canonical names, all float32, matrices [out, in]:

    embed [vocab, width]            position [max_positions, width]   (gpt2)
    layers.N.attn_norm [width]      layers.N.mlp_norm [width]         final_norm [width]
    layers.N.q [heads * head_dim, width]      layers.N.k, layers.N.v [kv_heads * head_dim, width]
    layers.N.o [width, heads * head_dim]
    layers.N.gate (llama), layers.N.up [mlp_width, width]             layers.N.down [width, mlp_width]
    head [vocab, width]             (where not tied to `embed`)

Any of them may have a `<name>.bias`. Rotary positions are in Hugging Face's order: dimension i of a head turns
with dimension i + head_dim / 2.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sextant.contract.errors import BundleRefused
from sextant.families.transformer.decoder_config import DecoderConfig, DecoderDefaults, TokenIds

Weights = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class DecoderSource:
    """Everything an import needs. `tokenizer_json` is in the format of the `tokenizers` library."""

    config: DecoderConfig
    weights: Weights
    token_ids: TokenIds
    tokenizer_json: str
    chat_template: str | None
    defaults: DecoderDefaults = field(default_factory=DecoderDefaults)


def read_decoder(path: Path, bundle: str) -> DecoderSource:
    """The decoder in a GGUF file or a Hugging Face directory.

    Raises `BundleRefused` in the name of `bundle` where it is damaged or needs something we do not compute.
    """
    # Imported when needed: each brings its own file-format library.
    if path.suffix == ".gguf":
        from sextant.families.transformer.gguf_source import read_gguf

        source = read_gguf(path, bundle)
    else:
        from sextant.families.transformer.huggingface_source import read_huggingface

        source = read_huggingface(path, bundle)
    _check(source, bundle)
    return source


def expected_shapes(config: DecoderConfig) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The canonical weights that a decoder must have, without its biases, in the order of use."""
    yield "embed", (config.vocab_size, config.width)
    if config.architecture == "gpt2":
        yield "position", (config.max_positions, config.width)
    q_width, kv_width = config.heads * config.head_dim, config.kv_heads * config.head_dim
    for layer in range(config.layers):
        name = f"layers.{layer}"
        yield f"{name}.attn_norm", (config.width,)
        yield f"{name}.q", (q_width, config.width)
        yield f"{name}.k", (kv_width, config.width)
        yield f"{name}.v", (kv_width, config.width)
        yield f"{name}.o", (config.width, q_width)
        yield f"{name}.mlp_norm", (config.width,)
        if config.architecture == "llama":
            yield f"{name}.gate", (config.mlp_width, config.width)
        yield f"{name}.up", (config.mlp_width, config.width)
        yield f"{name}.down", (config.width, config.mlp_width)
    yield "final_norm", (config.width,)
    if not config.tied_embeddings:
        yield "head", (config.vocab_size, config.width)


def _check(source: DecoderSource, bundle: str) -> None:
    expected = dict(expected_shapes(source.config))
    for name, shape in expected.items():
        if name not in source.weights:
            raise BundleRefused(bundle, f"the weights lack {name}")
        found = source.weights[name].shape
        if found != shape:
            raise BundleRefused(bundle, f"{name} has shape {found}, its sizes say {shape}")
    for name, array in source.weights.items():
        owner = name.removesuffix(".bias")
        if owner not in expected or (name != owner and array.shape != expected[owner][:1]):
            raise BundleRefused(bundle, f"cannot use the weight {name} of shape {array.shape}")
        if not np.isfinite(array).all():
            raise BundleRefused(bundle, f"{name} holds numbers that are not finite")
