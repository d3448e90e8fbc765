"""A decoder in plain NumPy, float64: what every import is compared with.

Written to be read, not to be fast. Sources: the decoder stack is Vaswani et al. 2017 ("Attention is all you
need"), with the normalisation before each block as in Radford et al. 2019 (GPT-2); RMSNorm is Zhang & Sennrich
2019; rotary positions are Su et al. 2021 (RoFormer); the gated MLP is Shazeer 2020 (SwiGLU); shared key-value
heads are Ainslie et al. 2023 (GQA); GELU is Hendrycks & Gimpel 2016, in its tanh form.

Axes: t token, w width, h head, d dimension of a head, v vocabulary.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sextant.families.transformer.decoder_config import DecoderConfig
from sextant.families.transformer.weights import Weights

Array = NDArray[np.float64]


def decoder_logits(weights: Weights, config: DecoderConfig, ids: Sequence[int]) -> Array:
    """The logits [t, v] after each of the tokens `ids`."""
    x_tw: Array = weights["embed"][np.asarray(ids)].astype(np.float64)
    if config.architecture == "gpt2":
        x_tw = x_tw + weights["position"][: len(ids)]
    for layer in range(config.layers):
        name = f"layers.{layer}"
        x_tw = x_tw + _attention(_norm(x_tw, weights, f"{name}.attn_norm", config), weights, name, config)
        x_tw = x_tw + _mlp(_norm(x_tw, weights, f"{name}.mlp_norm", config), weights, name, config)
    x_tw = _norm(x_tw, weights, "final_norm", config)
    return _linear(x_tw, weights, "embed" if config.tied_embeddings else "head")


def rope_tables(config: DecoderConfig, positions: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cosine and sine [positions, d / 2] of position m times frequency theta^(-2i/d) (Su et al. 2021, eq. 15)."""
    frequencies = config.rope_theta ** (-np.arange(0, config.head_dim, 2) / config.head_dim)
    angles = np.outer(np.arange(positions), frequencies)
    return np.cos(angles), np.sin(angles)


def _attention(x_tw: Array, weights: Weights, name: str, config: DecoderConfig) -> Array:
    """softmax(q k^T / sqrt(d)) v over the tokens up to each one; query heads share key-value heads in groups."""
    tokens = len(x_tw)
    q_htd, k_htd, v_htd = (_by_head(_linear(x_tw, weights, f"{name}.{part}"), config) for part in "qkv")
    if config.architecture == "llama":
        q_htd, k_htd = _rotate(q_htd, config), _rotate(k_htd, config)
    sharers = config.heads // config.kv_heads
    k_htd, v_htd = np.repeat(k_htd, sharers, axis=0), np.repeat(v_htd, sharers, axis=0)
    scores_htt: Array = q_htd @ k_htd.swapaxes(1, 2) / np.sqrt(config.head_dim)
    scores_htt[:, ~np.tri(tokens, dtype=bool)] = -np.inf
    mixed_htd = _softmax(scores_htt) @ v_htd
    return _linear(mixed_htd.swapaxes(0, 1).reshape(tokens, -1), weights, f"{name}.o")


def _by_head(x_tw: Array, config: DecoderConfig) -> Array:
    """[t, h * d] to [h, t, d]."""
    return x_tw.reshape(len(x_tw), -1, config.head_dim).swapaxes(0, 1)


def _rotate(x_htd: Array, config: DecoderConfig) -> Array:
    """Turn dimensions i and i + d/2 of each head together, by the angle of the token's position."""
    cos_td, sin_td = rope_tables(config, x_htd.shape[1])
    low, high = np.split(x_htd, 2, axis=-1)
    return np.concatenate([low * cos_td - high * sin_td, high * cos_td + low * sin_td], axis=-1)


def _mlp(x_tw: Array, weights: Weights, name: str, config: DecoderConfig) -> Array:
    up = _linear(x_tw, weights, f"{name}.up")
    if config.architecture == "llama":
        gate = _linear(x_tw, weights, f"{name}.gate")
        return _linear(gate / (1 + np.exp(-gate)) * up, weights, f"{name}.down")
    gelu: Array = 0.5 * up * (1 + np.tanh(np.sqrt(2 / np.pi) * (up + 0.044715 * up**3)))
    return _linear(gelu, weights, f"{name}.down")


def _norm(x_tw: Array, weights: Weights, name: str, config: DecoderConfig) -> Array:
    if config.architecture == "llama":
        centred: Array = x_tw  # RMSNorm leaves the mean where it is
    else:
        centred = x_tw - x_tw.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + config.norm_epsilon)
    normed: Array = scaled * weights[name]
    return normed + weights[f"{name}.bias"] if f"{name}.bias" in weights else normed


def _linear(x_tw: Array, weights: Weights, name: str) -> Array:
    product: Array = x_tw @ weights[name].T.astype(np.float64)
    return product + weights[f"{name}.bias"] if f"{name}.bias" in weights else product


def _softmax(x: Array) -> Array:
    exponentials: Array = np.exp(x - x.max(-1, keepdims=True))
    shares: Array = exponentials / exponentials.sum(-1, keepdims=True)
    return shares
