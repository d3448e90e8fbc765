"""An encoder in plain NumPy, float64: what every import is compared with.

Written to be read, not to be fast. Sources: the encoder stack is Vaswani et al. 2017 ("Attention is all you
need"), with the normalisation after each block; learned positions, segments and the head that fills blanks are
Devlin et al. 2018 (BERT); GELU is Hendrycks & Gimpel 2016, in its exact form; the mean of the token states as a
sentence's embedding is Reimers & Gurevych 2019 (Sentence-BERT).

Axes: t token, w width, h head, d dimension of a head, n wanted positions, v vocabulary.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sextant.families.transformer.encoder_config import EncoderConfig, Pooling
from sextant.families.transformer.weights import Weights

Array = NDArray[np.float64]


def token_states(weights: Weights, config: EncoderConfig, ids: Sequence[int]) -> Array:
    """The last layer's states [t, w] of the tokens `ids`, all of the first segment."""
    x_tw: Array = weights["embed"][np.asarray(ids)].astype(np.float64)
    x_tw = _norm(x_tw + weights["position"][: len(ids)] + weights["segment"][0], weights, "embed_norm", config)
    for layer in range(config.layers):
        name = f"layers.{layer}"
        x_tw = _norm(x_tw + _attention(x_tw, weights, name, config), weights, f"{name}.attn_norm", config)
        x_tw = _norm(x_tw + _mlp(x_tw, weights, name), weights, f"{name}.mlp_norm", config)
    return x_tw


def embedding(states_tw: Array, pooling: Pooling, normalize: bool) -> Array:
    """One vector [w] for a whole text, from its tokens' states."""
    pooled_w = states_tw.mean(axis=0) if pooling == "mean" else states_tw[0]
    return np.asarray(pooled_w / np.linalg.norm(pooled_w) if normalize else pooled_w)


def blank_logits(weights: Weights, config: EncoderConfig, states_tw: Array, positions: Sequence[int]) -> Array:
    """For each of `positions`, how well every token of the vocabulary would fill it: logits [n, v]."""
    transformed_nw = _gelu(_linear(states_tw[np.asarray(positions, dtype=np.int64)], weights, "head.transform"))
    normed_nw = _norm(transformed_nw, weights, "head.norm", config)
    matrix_vw = weights["head.decode"] if "head.decode" in weights else weights["embed"]
    logits_nv: Array = normed_nw @ matrix_vw.T.astype(np.float64) + weights["head.decode.bias"]
    return logits_nv


def _attention(x_tw: Array, weights: Weights, name: str, config: EncoderConfig) -> Array:
    """softmax(q k^T / sqrt(d)) v, every token looking at every token."""
    tokens, head_dim = len(x_tw), config.width // config.heads
    q_htd, k_htd, v_htd = (
        _linear(x_tw, weights, f"{name}.{part}").reshape(tokens, config.heads, head_dim).swapaxes(0, 1)
        for part in "qkv"
    )
    mixed_htd = _softmax(q_htd @ k_htd.swapaxes(1, 2) / np.sqrt(head_dim)) @ v_htd
    return _linear(mixed_htd.swapaxes(0, 1).reshape(tokens, -1), weights, f"{name}.o")


def _mlp(x_tw: Array, weights: Weights, name: str) -> Array:
    return _linear(_gelu(_linear(x_tw, weights, f"{name}.up")), weights, f"{name}.down")


def _gelu(x: Array) -> Array:
    """x times the probability that a standard normal variable is below x."""
    erf: Array = np.frompyfunc(math.erf, 1, 1)(x / np.sqrt(2)).astype(np.float64)  # NumPy has none of its own
    return x * (1 + erf) / 2


def _norm(x_tw: Array, weights: Weights, name: str, config: EncoderConfig) -> Array:
    centred = x_tw - x_tw.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + config.norm_epsilon)
    return np.asarray(scaled * weights[name] + weights[f"{name}.bias"])


def _linear(x_tw: Array, weights: Weights, name: str) -> Array:
    product: Array = x_tw @ weights[name].T.astype(np.float64)
    return product + weights[f"{name}.bias"]


def _softmax(x: Array) -> Array:
    exponentials = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(-1, keepdims=True))
