"""An encoder's weights and tokenizer in one canonical form, from a Hugging Face directory.

Canonical names, all float32, matrices [out, in], each with a `<name>.bias` except the first three:

    embed [vocab, width]            position [max_positions, width]         segment [segments, width]
    embed_norm [width]              layers.N.attn_norm [width]              layers.N.mlp_norm [width]
    layers.N.q, layers.N.k, layers.N.v, layers.N.o [width, width]
    layers.N.up [mlp_width, width]  layers.N.down [width, mlp_width]

and, where the encoder can fill blanks,

    head.transform [width, width]   head.norm [width]                       head.decode [vocab, width]

of which head.decode itself is missing where it is tied to `embed`; its bias is not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from sextant.bundles.verify import explain
from sextant.contract.errors import BundleRefused
from sextant.families.transformer.encoder_config import EncoderConfig, Pooling
from sextant.families.transformer.encoder_text import EncoderText
from sextant.families.transformer.huggingface_files import must_be, read_json, read_object, read_tensors
from sextant.families.transformer.weights import Weights

_NAMES = {
    "embeddings.word_embeddings": "embed",
    "embeddings.position_embeddings": "position",
    "embeddings.token_type_embeddings": "segment",
    "embeddings.LayerNorm": "embed_norm",
    "attention.self.query": "q",
    "attention.self.key": "k",
    "attention.self.value": "v",
    "attention.output.dense": "o",
    "attention.output.LayerNorm": "attn_norm",
    "intermediate.dense": "up",
    "output.dense": "down",
    "output.LayerNorm": "mlp_norm",
    "cls.predictions.transform.dense": "head.transform",
    "cls.predictions.transform.LayerNorm": "head.norm",
    "cls.predictions.decoder": "head.decode",
    "cls.predictions": "head.decode",  # older checkpoints keep the decoder's bias here
}
# Older checkpoints call a norm's scale and shift so.
_KINDS = {"weight": "", "gamma": "", "bias": ".bias", "beta": ".bias"}
# A buffer; and heads that embed or fill nothing: next-sentence prediction and the layer it reads.
_UNUSED = ("embeddings.position_ids", "pooler.", "cls.seq_relationship.")
_DEFAULT_MASK_TOKEN = "[MASK]"


@dataclass(frozen=True)
class EncoderSource:
    """Everything an import needs. `tokenizer_json` is in the format of the `tokenizers` library.

    `mask_token` is None where there is no head that fills blanks.
    """

    config: EncoderConfig
    weights: Weights
    pooling: Pooling
    normalize: bool
    tokenizer_json: str
    mask_token: str | None

    @property
    def text(self) -> EncoderText:
        """The tokenizer, ready for use. Its errors are of no specific type."""
        return EncoderText(self.tokenizer_json, self.mask_token)


def read_encoder(directory: Path, bundle: str) -> EncoderSource:
    """The encoder in `directory`. Raises `BundleRefused` where it is damaged or needs something we do not compute."""
    config = _config(read_object(directory / "config.json", bundle), bundle)
    weights: dict[str, NDArray[np.float32]] = {}
    for name, array in read_tensors(directory, bundle).items():
        bare = name.removeprefix("bert.")
        if not bare.startswith(_UNUSED):
            weights[_canonical_name(bare, bundle)] = array
    if "head.decode" in weights and np.array_equal(weights["head.decode"], weights.get("embed", ())):
        del weights["head.decode"]
    _check(weights, config, bundle)
    pooling, normalize = _pooling(directory, bundle)
    tokenizer_path = directory / "tokenizer.json"
    read_object(tokenizer_path, bundle)
    source = EncoderSource(
        config,
        weights,
        pooling,
        normalize,
        tokenizer_path.read_text("utf-8"),
        _mask_token(directory, bundle) if "head.transform" in weights else None,
    )
    _check_tokenizer(source, directory, bundle)
    return source


def _config(content: dict[str, Any], bundle: str) -> EncoderConfig:
    must_be(content, "model_type", ("bert",), bundle, file="config.json")
    must_be(content, "hidden_act", ("gelu",), bundle, file="config.json")
    must_be(content, "position_embedding_type", ("absolute", None), bundle, file="config.json")
    must_be(content, "is_decoder", (False,), bundle, file="config.json")
    must_be(content, "add_cross_attention", (False,), bundle, file="config.json")
    try:
        return EncoderConfig(
            architecture="bert",
            vocab_size=content["vocab_size"],
            width=content["hidden_size"],
            layers=content["num_hidden_layers"],
            heads=content["num_attention_heads"],
            mlp_width=content["intermediate_size"],
            max_positions=content["max_position_embeddings"],
            norm_epsilon=content.get("layer_norm_eps", 1e-12),
        )
    except KeyError as error:
        raise BundleRefused(bundle, f"config.json lacks {error}") from error
    except ValidationError as error:
        raise BundleRefused(bundle, f"config.json: {explain(error)}") from error


def _canonical_name(name: str, bundle: str) -> str:
    stem, _, kind = name.rpartition(".")
    if kind in _KINDS:
        if stem in _NAMES:
            return _NAMES[stem] + _KINDS[kind]
        parts = stem.split(".", 3)
        if parts[:2] == ["encoder", "layer"] and len(parts) == 4 and parts[3] in _NAMES:
            return f"layers.{parts[2]}.{_NAMES[parts[3]]}{_KINDS[kind]}"
    raise BundleRefused(bundle, f"the weights hold {name}, which no model we compute has")


def _expected_shapes(config: EncoderConfig, *, head: bool) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The canonical weights that an encoder must have, in the order of use; those of any size have a 0."""
    yield "embed", (config.vocab_size, config.width)
    yield "position", (config.max_positions, config.width)
    yield "segment", (0, config.width)
    square = (config.width, config.width)
    biased: list[tuple[str, tuple[int, ...]]] = [("embed_norm", (config.width,))]
    for layer in range(config.layers):
        name = f"layers.{layer}"
        biased += [(f"{name}.{part}", square) for part in "qkvo"]
        biased += [(f"{name}.attn_norm", (config.width,)), (f"{name}.mlp_norm", (config.width,))]
        biased += [(f"{name}.up", (config.mlp_width, config.width)), (f"{name}.down", (config.width, config.mlp_width))]
    if head:
        biased += [("head.transform", square), ("head.norm", (config.width,))]
        yield "head.decode.bias", (config.vocab_size,)
    for name, shape in biased:
        yield name, shape
        yield f"{name}.bias", shape[:1]


def _check(weights: Weights, config: EncoderConfig, bundle: str) -> None:
    expected = dict(_expected_shapes(config, head="head.transform" in weights))
    for name in expected:
        if name not in weights:
            raise BundleRefused(bundle, f"the weights lack {name}")
    expected["head.decode"] = expected["embed"]
    for name, array in weights.items():
        if name not in expected:
            raise BundleRefused(bundle, f"cannot use the weight {name} of shape {array.shape}")
        wanted = tuple(size or found for size, found in zip(expected[name], array.shape, strict=False))
        if array.shape != wanted or len(wanted) != len(expected[name]) or not array.size:
            raise BundleRefused(bundle, f"{name} has shape {array.shape}, its sizes say {expected[name]}")
        if not np.isfinite(array).all():
            raise BundleRefused(bundle, f"{name} holds numbers that are not finite")


def _pooling(directory: Path, bundle: str) -> tuple[Pooling, bool]:
    """How token states become a text's embedding, as sentence-transformers' files say.

    Where there are none: the mean, scaled to length 1.
    """
    modules = read_json(directory / "modules.json", bundle, required=False)
    if modules is None:
        return "mean", True
    try:
        kinds = [str(module["type"]).rpartition(".")[2] for module in modules]
        paths = [str(module["path"]) for module in modules]
    except (KeyError, TypeError) as error:
        raise BundleRefused(bundle, "modules.json is not sentence-transformers' list of modules") from error
    if kinds[:2] != ["Transformer", "Pooling"] or kinds[2:] not in ([], ["Normalize"]):
        raise BundleRefused(bundle, f"modules.json: only Transformer, Pooling, Normalize are supported, not {kinds}")
    config_path = directory / paths[1] / "config.json"
    if not config_path.resolve().is_relative_to(directory.resolve()):
        raise BundleRefused(bundle, f"modules.json leads out of its directory: {paths[1]!r}")
    content = read_object(config_path, bundle)
    modes = {key.removeprefix("pooling_mode_") for key, on in content.items() if key.startswith("pooling_mode_") and on}
    modes |= {content["pooling_mode"]} if isinstance(content.get("pooling_mode"), str) else set()
    if modes in ({"mean_tokens"}, {"mean"}):
        return "mean", len(kinds) == 3
    if modes in ({"cls_token"}, {"cls"}):
        return "first", len(kinds) == 3
    raise BundleRefused(bundle, f"pooling by {', '.join(sorted(modes)) or 'nothing'} is not supported")


def _mask_token(directory: Path, bundle: str) -> str:
    said = read_object(directory / "tokenizer_config.json", bundle, required=False).get("mask_token")
    token = said.get("content") if isinstance(said, dict) else said
    return str(token or _DEFAULT_MASK_TOKEN)


def _check_tokenizer(source: EncoderSource, directory: Path, bundle: str) -> None:
    try:
        text = source.text
        marks = len(text.encode("").ids)
    except Exception as error:  # `tokenizers` raises nothing more specific
        raise BundleRefused(bundle, f"its tokenizer cannot be used: {error}") from error
    highest = int(text.known_ids[-1])
    if highest >= source.config.vocab_size:
        reason = f"its tokenizer has a token {highest}, its network only {source.config.vocab_size} tokens"
        raise BundleRefused(bundle, reason)
    if not marks:
        raise BundleRefused(bundle, "its tokenizer puts no marks around a text, which BERT cannot do without")
    if source.mask_token is not None and not text.has_mask:
        raise BundleRefused(bundle, f"its tokenizer does not know the mask token {source.mask_token!r}")
    lowers = read_object(directory / "sentence_bert_config.json", bundle, required=False).get("do_lower_case")
    if lowers and text.encode("A").ids.tolist() != text.encode("a").ids.tolist():
        raise BundleRefused(bundle, "sentence_bert_config.json: do_lower_case is not supported; its tokenizer does not")
    prompts = read_object(directory / "config_sentence_transformers.json", bundle, required=False)
    if prompts.get("default_prompt_name"):
        raise BundleRefused(bundle, "config_sentence_transformers.json: a default prompt is not supported")
