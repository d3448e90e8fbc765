"""Importing T5: at parity or not at all, in as few bytes as its weights need, with a clear reason where refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from tokenizers import normalizers

from sextant.bundles.progress import no_progress
from sextant.bundles.writer import ImportOptions
from sextant.contract.errors import BundleRefused, InvalidRequest
from sextant.contract.events import Estimator
from sextant.contract.tasks import Task, TaskKind, TextParameters
from sextant.families.importing import import_model
from sextant.families.transformer.seq2seq_reference import seq2seq_logits
from sextant.families.transformer.seq2seq_sampler import Seq2SeqSampler
from sextant.families.transformer.seq2seq_source import read_seq2seq
from sextant.families.transformer.seq2seq_text import SOURCE_TOKENIZER_FILE
from sextant.runtime.session import SessionConfig
from tests.families.running import run_one
from tests.families.transformer.tiny_seq2seq import KINDS, MOST_TOKENS, ids_of, imported, rewrite, save, tokenizer


@pytest.mark.parametrize("kind", KINDS)
def test_the_reference_is_transformers(tmp_path: Path, kind: str) -> None:
    model = save(tmp_path, kind)
    source = read_seq2seq(tmp_path, "tiny")
    read, written = ids_of("the dog sat on the mat and sings " * 3), [0, *ids_of("cat on the mat " * 6)]
    with torch.no_grad():
        said = model(torch.tensor([read]), decoder_input_ids=torch.tensor([written])).logits[0].numpy()
    expected = seq2seq_logits(source.weights, source.config, read, written)
    assert np.abs(said - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("kind", KINDS)
def test_the_bundle_says_what_it_is_and_how_near_its_reference(tmp_path: Path, kind: str) -> None:
    manifest = imported(tmp_path, kind, defaults={"beams": 3, "max_tokens": 20}).bundle.manifest
    assert (manifest.family, manifest.architecture) == ("transformer", "t5")
    assert manifest.tasks == (TaskKind.GENERATE, TaskKind.SCORE)
    assert manifest.score_estimator is Estimator.EXACT
    assert manifest.context_tokens == MOST_TOKENS
    assert (manifest.defaults["beams"], manifest.defaults["max_tokens"]) == (3, 20)
    assert manifest.parity is not None
    assert 0 < manifest.parity.max_rel_error <= manifest.parity.tolerance


def test_a_directory_of_model_type_t5_is_imported(tmp_path: Path) -> None:
    save(tmp_path / "hf", "t5")
    bundle = import_model(tmp_path / "hf", tmp_path / "bundles", ImportOptions(name="mine"))
    assert bundle.manifest.architecture == "t5"


def test_weights_that_are_half_precision_numbers_are_stored_as_such(tmp_path: Path) -> None:
    model = save(tmp_path / "hf", "t5-1.1").half().float()
    model.save_pretrained(tmp_path / "hf")
    sizes = {}
    for name, directory in (("half", tmp_path / "hf"), ("whole", tmp_path / "whole")):
        if name == "whole":
            save(directory, "t5-1.1")
        bundle = import_model(directory, tmp_path / "bundles", ImportOptions(name=name))
        sizes[name] = sum(file.bytes for path, file in bundle.manifest.files.items() if path.startswith(("enc", "dec")))
    assert sizes["half"] < 0.8 * sizes["whole"]  # the graphs themselves count too


def test_what_is_read_may_have_a_tokenizer_of_its_own(tmp_path: Path) -> None:
    save(tmp_path / "hf", "t5")
    # Unigram has no unknown token by name; a source tokenizer by characters has.
    content = json.loads((tmp_path / "hf" / "tokenizer.json").read_text())
    vocabulary = {token: index for index, (token, _) in enumerate(content["model"]["vocab"])}
    content["model"] = {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"}
    (tmp_path / "hf" / SOURCE_TOKENIZER_FILE).write_text(json.dumps(content))
    sampler = Seq2SeqSampler(
        import_model(tmp_path / "hf", tmp_path / "bundles", ImportOptions(name="mine")), SessionConfig()
    )
    task = Task(TaskKind.GENERATE, seed=0, prompt="the cat", parameters=TextParameters(max_tokens=2))
    assert run_one(sampler, task).content is not None
    with pytest.raises(InvalidRequest, match=r"^prompt: holds '.*zebra', which the model cannot read"):
        run_one(sampler, Task(TaskKind.GENERATE, seed=0, prompt="the zebra"))


def test_precision_must_be_whole(tmp_path: Path) -> None:
    save(tmp_path / "hf", "t5")
    with pytest.raises(BundleRefused, match="fp32 only"):
        import_model(tmp_path / "hf", tmp_path / "bundles", ImportOptions(name="mine", precision="int8"))


def _change_config(**changes: Any) -> Callable[[Path], None]:
    return lambda directory: rewrite(directory / "config.json", **changes)


def _change_weights(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def apply(directory: Path) -> None:
        tensors = load_file(directory / "model.safetensors")
        change(tensors)
        save_file(tensors, directory / "model.safetensors")

    return apply


def _other_tokenizer(directory: Path) -> None:
    made = tokenizer()
    made.normalizer = normalizers.Lowercase()
    made.add_tokens([f"<{number}>" for number in range(9)])
    made.save(str(directory / "tokenizer.json"))


_QUERY = "decoder.block.1.layer.1.EncDecAttention.q.weight"

REFUSED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "another activation": (_change_config(feed_forward_proj="gated-silu"), "feed_forward_proj = 'gated-silu'"),
    "no width": (_change_config(d_model=None), "width"),
    "an end beyond the vocabulary": (_change_config(eos_token_id=99), "token 99 is beyond"),
    "no start": (_change_config(decoder_start_token_id=None), "start"),
    "a missing weight": (_change_weights(lambda t: t.pop(_QUERY)), r"lack decoder\.1\.cross_q"),
    "an unknown weight": (_change_weights(lambda t: t.update(extra=t[_QUERY])), "extra"),
    "a wrong shape": (_change_weights(lambda t: t.update({_QUERY: t[_QUERY][:8].copy()})), "cross_q has shape"),
    "not a number": (_change_weights(lambda t: t[_QUERY].fill(np.nan)), "not finite"),
    "no tokenizer": (lambda directory: (directory / "tokenizer.json").unlink(), r"lacks tokenizer\.json"),
    "a broken tokenizer": (lambda directory: (directory / "tokenizer.json").write_text("{}"), "tokenizer"),
    "a larger tokenizer": (_other_tokenizer, "tokenizer"),
    "weights that are a pickle": (
        lambda directory: (directory / "model.safetensors").rename(directory / "pytorch_model.bin"),
        "no safetensors weights",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_we_do_not_compute_is_refused_with_its_reason(tmp_path: Path, what: str) -> None:
    break_it, reason = REFUSED[what]
    save(tmp_path / "hf", "t5-1.1")
    break_it(tmp_path / "hf")
    with pytest.raises(BundleRefused, match=reason):
        import_model(tmp_path / "hf", tmp_path / "bundles", ImportOptions(name="mine"), no_progress)
    assert not list((tmp_path / "bundles").glob("*"))
