"""Decoders from Hugging Face directories: config.json, safetensors (sharded or not), tokenizer.json."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from tokenizers import Tokenizer

from sextant.bundles.verify import explain
from sextant.contract.errors import BundleRefused
from sextant.families.transformer.decoder_config import DecoderConfig, DecoderDefaults, TokenIds
from sextant.families.transformer.huggingface_files import must_be, read_object, read_tensors
from sextant.families.transformer.weights import DecoderSource

_LLAMA_NAMES = {
    "model.embed_tokens": "embed",
    "model.norm": "final_norm",
    "lm_head": "head",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "q",
    "self_attn.k_proj": "k",
    "self_attn.v_proj": "v",
    "self_attn.o_proj": "o",
    "post_attention_layernorm": "mlp_norm",
    "mlp.gate_proj": "gate",
    "mlp.up_proj": "up",
    "mlp.down_proj": "down",
}
_GPT2_NAMES = {
    "wte": "embed",
    "wpe": "position",
    "ln_f": "final_norm",
    "lm_head": "head",
    "ln_1": "attn_norm",
    "attn.c_attn": "qkv",
    "attn.c_proj": "o",
    "ln_2": "mlp_norm",
    "mlp.c_fc": "up",
    "mlp.c_proj": "down",
}
# Buffers that older checkpoints store beside the weights.
_BUFFERS = (".rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias")
_END_OF_TEXT = "<|endoftext|>"


def read_huggingface(directory: Path, bundle: str) -> DecoderSource:
    """The decoder in `directory`. Raises `BundleRefused`."""
    config_json = read_object(directory / "config.json", bundle)
    config = _config(config_json, bundle)
    names = _LLAMA_NAMES if config.architecture == "llama" else _GPT2_NAMES
    weights: dict[str, NDArray[np.float32]] = {}
    for name, array in read_tensors(directory, bundle).items():
        if name.endswith(_BUFFERS):
            continue
        canonical = _canonical_name(name, names, bundle)
        if config.architecture == "gpt2":
            _add_gpt2(weights, canonical, array, config.width)
        elif not (canonical == "head" and config.tied_embeddings):
            weights[canonical] = array
    if config.tied_embeddings:
        weights.pop("head", None)
    tokenizer = read_object(directory / "tokenizer.json", bundle)
    tokenizer_config = read_object(directory / "tokenizer_config.json", bundle, required=False)
    return DecoderSource(
        config,
        weights,
        _token_ids(directory, config_json, tokenizer_config, tokenizer, bundle),
        json.dumps(tokenizer, ensure_ascii=False),
        _chat_template(directory, tokenizer_config),
        _defaults(read_object(directory / "generation_config.json", bundle, required=False), bundle),
    )


def _config(content: dict[str, Any], bundle: str) -> DecoderConfig:
    kind = content.get("model_type")
    try:
        if kind == "llama":
            return _llama_config(content, bundle)
        if kind == "gpt2":
            return _gpt2_config(content, bundle)
    except KeyError as error:
        raise BundleRefused(bundle, f"config.json lacks {error}") from error
    except ValidationError as error:
        raise BundleRefused(bundle, f"config.json: {explain(error)}") from error
    except (TypeError, AttributeError, ZeroDivisionError) as error:
        raise BundleRefused(bundle, f"config.json holds a size or switch that cannot be: {error}") from error
    raise BundleRefused(bundle, f"models of type {kind!r} are not decoders that we compute")


def _llama_config(content: dict[str, Any], bundle: str) -> DecoderConfig:
    must_be(content, "hidden_act", ("silu",), bundle, file="config.json")
    rope = content.get("rope_parameters") or content.get("rope_scaling") or {}
    scaling = rope.get("rope_type", rope.get("type", "default"))
    if scaling != "default":
        raise BundleRefused(bundle, f"rope scaling of type {scaling!r} is not supported")
    if content.get("sliding_window"):
        raise BundleRefused(bundle, "attention within a sliding window is not supported")
    width, heads = content["hidden_size"], content["num_attention_heads"]
    return DecoderConfig(
        architecture="llama",
        vocab_size=content["vocab_size"],
        width=width,
        layers=content["num_hidden_layers"],
        heads=heads,
        kv_heads=content.get("num_key_value_heads") or heads,
        head_dim=content.get("head_dim") or width // heads,
        mlp_width=content["intermediate_size"],
        max_positions=content["max_position_embeddings"],
        norm_epsilon=content.get("rms_norm_eps", 1e-6),
        rope_theta=rope.get("rope_theta") or content.get("rope_theta") or 10_000.0,
        tied_embeddings=content.get("tie_word_embeddings", False),
    )


def _gpt2_config(content: dict[str, Any], bundle: str) -> DecoderConfig:
    must_be(content, "activation_function", ("gelu_new", "gelu_pytorch_tanh"), bundle, file="config.json")
    must_be(content, "scale_attn_weights", (True,), bundle, file="config.json")
    must_be(content, "scale_attn_by_inverse_layer_idx", (False,), bundle, file="config.json")
    width, heads = content["n_embd"], content["n_head"]
    return DecoderConfig(
        architecture="gpt2",
        vocab_size=content["vocab_size"],
        width=width,
        layers=content["n_layer"],
        heads=heads,
        kv_heads=heads,
        head_dim=width // heads,
        mlp_width=content.get("n_inner") or 4 * width,
        max_positions=content["n_positions"],
        norm_epsilon=content.get("layer_norm_epsilon", 1e-5),
        tied_embeddings=content.get("tie_word_embeddings", True),
    )


def _canonical_name(name: str, names: dict[str, str], bundle: str) -> str:
    stem, _, kind = name.removeprefix("transformer.").rpartition(".")
    suffix = ".bias" if kind == "bias" else ""
    parts = stem.removeprefix("model.").split(".", 2)
    if stem in names:
        return names[stem] + suffix
    if len(parts) == 3 and parts[0] in ("layers", "h") and parts[2] in names:
        return f"layers.{parts[1]}.{names[parts[2]]}{suffix}"
    raise BundleRefused(bundle, f"the weights hold {name}, which no model we compute has")


def _add_gpt2(weights: dict[str, NDArray[np.float32]], name: str, array: NDArray[np.float32], width: int) -> None:
    """GPT-2 keeps its matrices [in, out], and those of q, k and v side by side."""
    if array.ndim == 2 and name.startswith("layers."):
        array = np.ascontiguousarray(array.T)
    layer, _, part = name.removesuffix(".bias").rpartition(".")
    if part != "qkv":
        weights[name] = array
        return
    suffix = ".bias" if name.endswith(".bias") else ""
    for index, letter in enumerate("qkv"):
        weights[f"{layer}.{letter}{suffix}"] = array[index * width : (index + 1) * width]


def _token_ids(
    directory: Path, config: dict[str, Any], tokenizer_config: dict[str, Any], tokenizer: dict[str, Any], bundle: str
) -> TokenIds:
    """Which tokens start and end texts; see `TokenIds`. The separator of documents, if any, does both."""
    generation = read_object(directory / "generation_config.json", bundle, required=False)
    added = {token["content"]: token["id"] for token in tokenizer.get("added_tokens", [])}
    separator = added.get(_END_OF_TEXT)
    eos = generation.get("eos_token_id", config.get("eos_token_id"))
    named = [*eos] if isinstance(eos, list) else [eos]
    named += [added.get(_token_text(tokenizer_config.get("eos_token"))), separator]
    end = tuple(dict.fromkeys(token for token in named if token is not None))
    start = added.get(_token_text(tokenizer_config.get("bos_token")), config.get("bos_token_id"))
    prepends = bool(tokenizer_config.get("add_bos_token", False)) or _post_processor_adds(tokenizer, start)
    if separator is not None and not prepends:
        start = separator
    return TokenIds(start=start, end=end, prepends_start=prepends)


def _defaults(generation: dict[str, Any], bundle: str) -> DecoderDefaults:
    """How the model's makers sample from it, where they say so."""
    keys = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
    said = {key: generation[key] for key in keys if generation.get(key) is not None}
    try:
        return DecoderDefaults.model_validate(said if generation.get("do_sample") else {})
    except ValidationError as error:
        raise BundleRefused(bundle, f"generation_config.json: {explain(error)}") from error


def _post_processor_adds(tokenizer: dict[str, Any], start: int | None) -> bool:
    """Whether the tokenizer itself puts the start token before every text."""
    if start is None or not tokenizer.get("post_processor"):
        return False
    ids: list[int] = Tokenizer.from_str(json.dumps(tokenizer)).encode("a").ids
    return ids[:1] == [start]


def _token_text(token: str | dict[str, Any] | None) -> str | None:
    """Tokens in tokenizer_config.json are plain strings or objects."""
    return token.get("content") if isinstance(token, dict) else token


def _chat_template(directory: Path, tokenizer_config: dict[str, Any]) -> str | None:
    path = directory / "chat_template.jinja"
    if path.is_file():
        return path.read_text("utf-8")
    template = tokenizer_config.get("chat_template")
    if isinstance(template, list):  # several, by name
        template = {entry["name"]: entry["template"] for entry in template}.get("default")
    return template
