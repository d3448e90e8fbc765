"""Encoders of other makers into bundles: at parity, whole, and refused where they need what we do not compute."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from sextant.bundles.progress import no_progress
from sextant.bundles.writer import Bundle, ImportOptions
from sextant.contract.errors import BundleRefused
from sextant.contract.media import Latent, Text
from sextant.contract.tasks import Task, TaskKind
from sextant.families.importing import import_model
from sextant.families.transformer.encoder_import import import_encoder
from sextant.families.transformer.encoder_reference import blank_logits, token_states
from sextant.families.transformer.encoder_sampler import EncoderSampler
from sextant.families.transformer.encoder_source import read_encoder
from sextant.runtime.rng import RequestRng
from sextant.runtime.session import SessionConfig
from tests.families.transformer.encoder_checkpoint import (
    MAX_POSITIONS,
    add_modules,
    bert,
    masked,
    rewrite,
    tokenizer,
    torch_ids,
    torch_states,
)

TEXT = "The old dog sleeps, [MASK] the red sun sings!"
MEAN, CLS = {"pooling_mode_mean_tokens": True}, {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
SENTENCE_MODULES = ("Transformer", "Pooling", "Normalize")


def imported(directory: Path, **options: Any) -> Bundle:
    destination = directory.parent / "bundles"
    return import_encoder(directory, destination, ImportOptions(name="mine", **options), no_progress)


def embedding(bundle: Bundle, text: str) -> np.ndarray:
    sampler = EncoderSampler.load(bundle, SessionConfig())
    state = sampler.start(Task(TaskKind.ENCODE, seed=0, source=Text(text)), RequestRng(0))
    sampler.step([state])
    content = sampler.result(state).content
    assert isinstance(content, Latent)
    return content.mean


def test_the_reference_is_torchs_network(tmp_path: Path) -> None:
    model, directory = masked(tmp_path / "hf")
    source = read_encoder(directory, "mine")
    ids = torch_ids(TEXT)
    with torch.no_grad():
        output = model.double()(torch.tensor([ids]), output_hidden_states=True)
    states = token_states(source.weights, source.config, ids)
    np.testing.assert_allclose(states, output.hidden_states[-1][0], atol=1e-10)
    logits = blank_logits(source.weights, source.config, states, range(len(ids)))
    np.testing.assert_allclose(logits, output.logits[0], atol=1e-10)


@pytest.mark.parametrize(("precision", "worst"), [("fp32", 1e-5), ("int8", 0.1)])
def test_a_bundle_is_at_parity_and_says_what_it_can_do(tmp_path: Path, precision: str, worst: float) -> None:
    _, directory = masked(tmp_path / "hf")
    bundle = imported(directory, precision=precision)
    manifest = bundle.manifest
    assert manifest.parity is not None
    assert 0 < manifest.parity.max_rel_error < worst
    assert manifest.deterministic
    assert set(manifest.tasks) == {TaskKind.ENCODE, TaskKind.TRANSFORM}
    assert [(space.id, space.shape) for space in manifest.latent_spaces] == [
        ("mine/sentence", (32,)),
        ("mine/tokens", (0, 32)),
    ]
    assert manifest.context_tokens == MAX_POSITIONS


def test_an_encoder_without_the_head_only_encodes(tmp_path: Path) -> None:
    _, directory = bert(tmp_path / "hf")
    assert import_model(directory, tmp_path / "out", ImportOptions(name="mine")).manifest.tasks == (TaskKind.ENCODE,)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("pooling", [MEAN, CLS, {"pooling_mode": "mean"}, {"pooling_mode": "cls"}])
def test_texts_are_pooled_as_sentence_transformers_files_say(
    tmp_path: Path, pooling: dict[str, Any], normalize: bool
) -> None:
    model, directory = bert(tmp_path / "hf")
    add_modules(directory, SENTENCE_MODULES[: 3 if normalize else 2], pooling)
    states = torch_states(model, TEXT)
    expected = states[0] if pooling is CLS or pooling.get("pooling_mode") == "cls" else states.mean(dim=0)
    expected = torch.nn.functional.normalize(expected, dim=0) if normalize else expected
    np.testing.assert_allclose(embedding(imported(directory), TEXT), expected, atol=1e-5)


def test_a_head_with_a_decoder_of_its_own_is_read(tmp_path: Path) -> None:
    model, directory = masked(tmp_path / "hf", tie_word_embeddings=False)
    assert not torch.equal(model.cls.predictions.decoder.weight, model.bert.embeddings.word_embeddings.weight)
    source = read_encoder(directory, "mine")
    ids = torch_ids(TEXT)
    with torch.no_grad():
        expected = model.double()(torch.tensor([ids])).logits[0]
    states = token_states(source.weights, source.config, ids)
    np.testing.assert_allclose(
        blank_logits(source.weights, source.config, states, range(len(ids))), expected, atol=1e-10
    )
    assert imported(directory).manifest.parity.max_rel_error < 1e-5


def test_checkpoints_with_the_old_names_of_norms_are_read(tmp_path: Path) -> None:
    _, directory = masked(tmp_path / "hf")
    expected = embedding(imported(directory), TEXT)
    tensors = load_file(directory / "model.safetensors")
    renamed = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): array
        for name, array in tensors.items()
    }
    renamed["cls.seq_relationship.weight"] = np.zeros((2, 32), np.float32)
    renamed["bert.embeddings.position_ids"] = np.arange(MAX_POSITIONS)[None]
    save_file(renamed, directory / "model.safetensors")
    np.testing.assert_array_equal(embedding(imported(directory), TEXT), expected)


def test_the_truncation_and_padding_of_a_tokenizer_file_do_not_cut_texts(tmp_path: Path) -> None:
    model, directory = bert(tmp_path / "hf")
    assert json.loads((directory / "tokenizer.json").read_text())["truncation"]["max_length"] == 12
    bundle = imported(directory)
    text = "the cat sings " * 15
    expected = torch.nn.functional.normalize(torch_states(model, text).mean(dim=0), dim=0)
    np.testing.assert_allclose(embedding(bundle, text), expected, atol=1e-5)


def test_a_shorter_bound_can_be_asked_for_but_no_longer_one(tmp_path: Path) -> None:
    _, directory = bert(tmp_path / "hf")
    assert imported(directory, context_tokens=20).manifest.context_tokens == 20
    with pytest.raises(BundleRefused, match=f"{MAX_POSITIONS + 1} tokens.*{MAX_POSITIONS}"):
        imported(directory, context_tokens=MAX_POSITIONS + 1)


def _change_config(**changes: Any) -> Callable[[Path], None]:
    return lambda directory: rewrite(directory / "config.json", **changes)


def _change_weights(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def apply(directory: Path) -> None:
        tensors = load_file(directory / "model.safetensors")
        change(tensors)
        save_file(tensors, directory / "model.safetensors")

    return apply


def _write(name: str, content: object) -> Callable[[Path], None]:
    return lambda directory: (directory / name).write_text(json.dumps(content)) and None


def _cased_tokenizer(directory: Path) -> None:
    tokenizer(lowercase=False).save(str(directory / "tokenizer.json"))
    _write("sentence_bert_config.json", {"do_lower_case": True})(directory)


_QUERY = "bert.encoder.layer.1.attention.self.query.weight"

REFUSED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "relative positions": (_change_config(position_embedding_type="relative_key"), "position_embedding_type"),
    "another activation": (_change_config(hidden_act="relu"), "hidden_act = 'relu'"),
    "a decoder": (_change_config(is_decoder=True), "is_decoder"),
    "another model": (_change_config(model_type="roberta"), "roberta"),
    "no width": (_change_config(hidden_size=None), "hidden_size"),
    "heads that do not fit": (_change_config(num_attention_heads=5), "5 heads"),
    "a missing weight": (_change_weights(lambda tensors: tensors.pop(_QUERY)), r"lack layers\.1\.q"),
    "an unknown weight": (_change_weights(lambda t: t.update({"classifier.weight": t[_QUERY]})), "classifier"),
    "a wrong shape": (_change_weights(lambda t: t.update({_QUERY: t[_QUERY][:8].copy()})), r"layers\.1\.q has shape"),
    "a wrong rank": (_change_weights(lambda t: t.update({_QUERY: t[_QUERY][0].copy()})), r"layers\.1\.q has shape"),
    "not a number": (_change_weights(lambda t: t[_QUERY].fill(np.nan)), "not finite"),
    "no tokenizer": (lambda directory: (directory / "tokenizer.json").unlink(), r"lacks tokenizer\.json"),
    "a broken tokenizer": (_write("tokenizer.json", {"version": "1.0"}), "tokenizer cannot be used"),
    "a larger tokenizer": (
        lambda directory: masked(directory, vocab_size=20),
        "tokenizer has a token [0-9]+, its network only 20",
    ),
    "an unknown mask token": (_write("tokenizer_config.json", {"mask_token": {"content": "<mask>"}}), "<mask>"),
    "a tokenizer that keeps case": (_cased_tokenizer, "do_lower_case"),
    "a default prompt": (_write("config_sentence_transformers.json", {"default_prompt_name": "query"}), "prompt"),
    "pooling by maximum": (
        lambda directory: add_modules(directory, SENTENCE_MODULES, {"pooling_mode_max_tokens": True}),
        "max_tokens",
    ),
    "pooling in two ways": (
        lambda directory: add_modules(directory, SENTENCE_MODULES, {**MEAN, "pooling_mode_cls_token": True}),
        "cls_token, mean_tokens",
    ),
    "a further layer": (
        lambda directory: add_modules(directory, ("Transformer", "Pooling", "Dense"), MEAN),
        "Dense",
    ),
    "modules that are none": (_write("modules.json", {"Transformer": 1}), "modules.json"),
    "modules from elsewhere": (
        _write("modules.json", [{"type": "a.Transformer", "path": ""}, {"type": "a.Pooling", "path": "../../x"}]),
        "leads out",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_we_do_not_compute_is_refused_with_its_reason(tmp_path: Path, what: str) -> None:
    break_it, reason = REFUSED[what]
    _, directory = masked(tmp_path / "hf")
    break_it(directory)
    with pytest.raises(BundleRefused, match=reason):
        imported(directory)
    assert not list((tmp_path / "bundles").glob("*"))


def test_int8_needs_a_width_of_whole_blocks(tmp_path: Path) -> None:
    _, directory = bert(tmp_path / "hf", hidden_size=40)
    with pytest.raises(BundleRefused, match="32 divides, not 40"):
        imported(directory, precision="int8")
    assert imported(directory).manifest.parity is not None
