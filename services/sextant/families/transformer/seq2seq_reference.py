"""An encoder-decoder in plain NumPy, float64: what every import is compared with.

Written to be read, not to be fast. Source: Raffel et al. 2020, "Exploring the limits of transfer learning with a
unified text-to-text transformer" (T5), with the gated MLP of its version 1.1 (Shazeer 2020). Scores are not divided
by the square root of the head's width, and positions count by a bias for each head and bucket of distances.

Axes: t and s token, w width, h head, d dimension of a head, v vocabulary.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sextant.families.transformer.seq2seq_config import Seq2SeqConfig
from sextant.families.transformer.weights import Weights

Array = NDArray[np.float64]


def seq2seq_logits(weights: Weights, config: Seq2SeqConfig, source: Sequence[int], target: Sequence[int]) -> Array:
    """The logits [t, v] after each token of `target`, given all of `source`."""
    memory_sw = encoder_states(weights, config, source)
    x_tw: Array = weights["embed"][np.asarray(target)].astype(np.float64)
    tokens = len(target)
    bias_htt = position_bias(weights, config, "decoder", np.arange(tokens), np.arange(tokens))
    bias_htt = np.where(np.tri(tokens, dtype=bool), bias_htt, -np.inf)
    for layer in range(config.decoder_layers):
        name = f"decoder.{layer}"
        normed = _norm(x_tw, weights, f"{name}.attn_norm", config)
        x_tw = x_tw + _attention(normed, normed, weights, name, "", config, bias_htt)
        normed = _norm(x_tw, weights, f"{name}.cross_norm", config)
        x_tw = x_tw + _attention(normed, memory_sw, weights, name, "cross_", config, np.zeros(1))
        x_tw = x_tw + _mlp(_norm(x_tw, weights, f"{name}.mlp_norm", config), weights, name, config)
    x_tw = _norm(x_tw, weights, "decoder.norm", config)
    if config.scaled_logits:
        x_tw = x_tw / np.sqrt(config.width)
    return _linear(x_tw, weights, "embed" if config.tied_head else "head")


def encoder_states(weights: Weights, config: Seq2SeqConfig, source: Sequence[int]) -> Array:
    """The encoder's states [s, w]."""
    x_sw: Array = weights["embed"][np.asarray(source)].astype(np.float64)
    places = np.arange(len(source))
    bias_hss = position_bias(weights, config, "encoder", places, places)
    for layer in range(config.encoder_layers):
        name = f"encoder.{layer}"
        normed = _norm(x_sw, weights, f"{name}.attn_norm", config)
        x_sw = x_sw + _attention(normed, normed, weights, name, "", config, bias_hss)
        x_sw = x_sw + _mlp(_norm(x_sw, weights, f"{name}.mlp_norm", config), weights, name, config)
    return _norm(x_sw, weights, "encoder.norm", config)


def position_bias(
    weights: Weights, config: Seq2SeqConfig, stack: str, asking: NDArray[np.integer], asked: NDArray[np.integer]
) -> Array:
    """What is added to the scores [h, asking, asked] for how far tokens are apart (section 2.1)."""
    bucket = position_bucket(asked[None, :] - asking[:, None], config, both_ways=stack == "encoder")
    bias: Array = weights[f"{stack}.positions"][bucket].astype(np.float64).transpose(2, 0, 1)
    return bias


def position_bucket(distance: NDArray[np.integer], config: Seq2SeqConfig, *, both_ways: bool) -> NDArray[np.int64]:
    """The bucket of each distance (asked minus asking): near ones by themselves, farther ones by their logarithm."""
    buckets = config.buckets // 2 if both_ways else config.buckets
    ahead = np.where(distance > 0, buckets, 0) if both_ways else 0
    far = np.abs(distance) if both_ways else np.maximum(-distance, 0)
    exact = buckets // 2
    # In float32, as the models were trained: at powers of two the last bit decides the bucket.
    share = np.log(np.maximum(far, 1).astype(np.float32) / np.float32(exact))
    share = share / np.float32(np.log(config.max_distance / exact)) * np.float32(buckets - exact)
    coarse = np.minimum(exact + share.astype(np.int64), buckets - 1)
    found: NDArray[np.int64] = ahead + np.where(far < exact, far, coarse)
    return found


def _attention(
    x_tw: Array, memory_sw: Array, weights: Weights, name: str, prefix: str, config: Seq2SeqConfig, bias: Array
) -> Array:
    """softmax(q k^T + bias) v."""
    q_htd = _by_head(_linear(x_tw, weights, f"{name}.{prefix}q"), config)
    k_hsd, v_hsd = (_by_head(_linear(memory_sw, weights, f"{name}.{prefix}{part}"), config) for part in "kv")
    scores_hts: Array = q_htd @ k_hsd.swapaxes(1, 2) + bias
    exponentials = np.exp(scores_hts - scores_hts.max(-1, keepdims=True))
    mixed_htd = exponentials / exponentials.sum(-1, keepdims=True) @ v_hsd
    return _linear(mixed_htd.swapaxes(0, 1).reshape(len(x_tw), -1), weights, f"{name}.{prefix}o")


def _by_head(x_tw: Array, config: Seq2SeqConfig) -> Array:
    """[t, h * d] to [h, t, d]."""
    return x_tw.reshape(len(x_tw), config.heads, config.head_dim).swapaxes(0, 1)


def _mlp(x_tw: Array, weights: Weights, name: str, config: Seq2SeqConfig) -> Array:
    up = _linear(x_tw, weights, f"{name}.up")
    if not config.gated:
        return _linear(np.maximum(up, 0), weights, f"{name}.down")
    gate = _linear(x_tw, weights, f"{name}.gate")
    gelu: Array = 0.5 * gate * (1 + np.tanh(np.sqrt(2 / np.pi) * (gate + 0.044715 * gate**3)))
    return _linear(gelu * up, weights, f"{name}.down")


def _norm(x_tw: Array, weights: Weights, name: str, config: Seq2SeqConfig) -> Array:
    normed: Array = x_tw / np.sqrt((x_tw**2).mean(-1, keepdims=True) + config.norm_epsilon) * weights[name]
    return normed


def _linear(x_tw: Array, weights: Weights, name: str) -> Array:
    product: Array = x_tw @ weights[name].T.astype(np.float64)
    return product
