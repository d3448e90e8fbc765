"""Weights from files, in one form whatever the file."""

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from sextant.contract.errors import BundleRefused
from sextant.families.transformer.reference import decoder_logits
from sextant.families.transformer.weights import DecoderSource, read_decoder
from tests.families.transformer import tiny_decoders
from tests.families.transformer.tiny_decoders import tiny_tokenizer, torch_logits

IDS = [5, 300, 17, 0, 255, 42, 42, 9]
TEXTS = ["the cat sat, 1234!", "naïve café 你好 🙂\r\n\tx", "def f(a):\n    return a ** 2\n", "<|im_start|>a<|im_end|>"]


def interleaved(matrix: NDArray[np.float32], head_dim: int) -> NDArray[np.float32]:
    """Hugging Face's order of rotary dimensions to llama.cpp's."""
    halves = matrix.reshape(-1, 2, head_dim // 2, matrix.shape[1])
    return np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(matrix.shape)


def write_gguf(path: Path, source: DecoderSource, **changes: Any) -> None:
    """A decoder as llama.cpp would store it, in float32."""
    config = source.config
    writer = gguf.GGUFWriter(path, changes.get("architecture", "llama"))
    writer.add_context_length(config.max_positions)
    writer.add_embedding_length(config.width)
    writer.add_block_count(config.layers)
    writer.add_feed_forward_length(config.mlp_width)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_key_length(config.head_dim)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_layer_norm_rms_eps(config.norm_epsilon)
    if "scaling" in changes:
        writer.add_rope_scaling_type(changes["scaling"])
    tokenizer = json.loads(tiny_tokenizer().to_str())
    vocabulary = sorted(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].__getitem__)
    vocabulary += [f"<unused{index}>" for index in range(config.vocab_size - len(vocabulary))]
    special = {token["content"] for token in tokenizer["added_tokens"]}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(changes.get("pre", "gpt-2"))
    writer.add_token_list(vocabulary)
    writer.add_token_types([3 if token in special else 1 for token in vocabulary])
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["model"]["merges"]])
    writer.add_eos_token_id(vocabulary.index("<|im_end|>"))
    names = {"embed": "token_embd", "final_norm": "output_norm", "head": "output"}
    parts = {"q": "attn_q", "k": "attn_k", "v": "attn_v", "o": "attn_output", "attn_norm": "attn_norm"}
    parts |= {"mlp_norm": "ffn_norm", "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down"}
    for name, array in source.weights.items():
        if name in names:
            writer.add_tensor(f"{names[name]}.weight", array)
            continue
        _, layer, part = name.split(".")
        stored = interleaved(array, config.head_dim) if part in "qk" else array
        writer.add_tensor(f"blk.{layer}.{parts[part]}.weight", stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize("tied", [True, False])
def test_the_reference_computes_what_transformers_compute_for_llama(tmp_path: Path, tied: bool) -> None:
    model = tiny_decoders.llama(tmp_path, tie_word_embeddings=tied, attention_bias=not tied)
    source = read_decoder(tmp_path, "tiny")
    assert np.allclose(decoder_logits(source.weights, source.config, IDS), torch_logits(model, IDS), atol=1e-4)


def test_the_reference_computes_what_transformers_compute_for_gpt2(tmp_path: Path) -> None:
    model = tiny_decoders.gpt2(tmp_path)
    source = read_decoder(tmp_path, "tiny")
    assert np.allclose(decoder_logits(source.weights, source.config, IDS), torch_logits(model, IDS), atol=1e-4)


def test_gguf_and_hugging_face_give_the_same_weights_and_tokens(tmp_path: Path) -> None:
    tiny_decoders.llama(tmp_path / "hf", tie_word_embeddings=False)
    source = read_decoder(tmp_path / "hf", "tiny")
    write_gguf(tmp_path / "tiny.gguf", source)
    again = read_decoder(tmp_path / "tiny.gguf", "tiny")

    assert again.config.model_dump() == pytest.approx(source.config.model_dump())
    assert again.weights.keys() == source.weights.keys()
    for name, array in source.weights.items():
        assert np.array_equal(again.weights[name], array), name
    rebuilt = Tokenizer.from_str(again.tokenizer_json)
    for text in TEXTS:
        assert rebuilt.encode(text).ids == tiny_tokenizer().encode(text).ids
    end, turn_end = (tiny_tokenizer().token_to_id(text) for text in ("<|endoftext|>", "<|im_end|>"))
    assert (again.token_ids.start, again.token_ids.end) == (end, (turn_end, end))


def test_shards_and_half_precision_are_read_like_one_float32_file(tmp_path: Path) -> None:
    tiny_decoders.llama(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    rounded = {name: array.astype(np.float16) for name, array in tensors.items()}
    save_file({name: array.astype(np.float32) for name, array in rounded.items()}, tmp_path / "model.safetensors")
    whole = read_decoder(tmp_path, "tiny")
    (tmp_path / "model.safetensors").unlink()
    names = sorted(rounded)
    for shard in range(2):
        part = {name: rounded[name] for name in names[shard::2]}
        save_file(part, tmp_path / f"model-{shard + 1:05d}-of-00002.safetensors")
    sharded = read_decoder(tmp_path, "tiny")

    assert all(np.array_equal(sharded.weights[name], array) for name, array in whole.weights.items())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}, "rope_parameters": None}, "yarn"),
        ({"hidden_act": "gelu"}, "hidden_act"),
        ({"model_type": "mamba"}, "mamba"),
        ({"num_attention_heads": 5}, "heads"),
        ({"head_dim": 24}, "head_dim"),
        ({"intermediate_size": 64}, "shape"),
        ({"num_hidden_layers": 3}, "lack"),
        ({"num_hidden_layers": 1}, "cannot use"),
        ({"hidden_size": None}, "width"),
        ({"head_dim": None, "num_attention_heads": 0}, "cannot be"),
        ({"rope_parameters": 7}, "cannot be"),
    ],
)
def test_a_config_that_we_do_not_compute_is_refused(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    tiny_decoders.llama(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(BundleRefused, match=reason):
        read_decoder(tmp_path, "tiny")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"architecture": "mamba"}, "mamba"),
        ({"scaling": gguf.RopeScalingType.YARN}, "yarn"),
        ({"pre": "tekken"}, "tekken"),
    ],
)
def test_a_gguf_that_we_do_not_compute_is_refused(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    tiny_decoders.llama(tmp_path / "hf", tie_word_embeddings=False)
    write_gguf(tmp_path / "tiny.gguf", read_decoder(tmp_path / "hf", "tiny"), **changes)
    with pytest.raises(BundleRefused, match=reason):
        read_decoder(tmp_path / "tiny.gguf", "tiny")


@pytest.mark.parametrize("keep", [0, 3, 100, 0.5, 0.99])
def test_a_gguf_that_is_cut_short_is_refused(tmp_path: Path, keep: float) -> None:
    tiny_decoders.llama(tmp_path / "hf", tie_word_embeddings=False)
    path = tmp_path / "tiny.gguf"
    write_gguf(path, read_decoder(tmp_path / "hf", "tiny"))
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    with pytest.raises(BundleRefused):
        read_decoder(path, "tiny")


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    tiny_decoders.llama(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["model.norm.weight"][3] = np.nan
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(BundleRefused, match="final_norm"):
        read_decoder(tmp_path, "tiny")
