"""From foreign weights to a bundle that is served."""

import json
from pathlib import Path

import pytest

from sextant.bundles.progress import no_progress
from sextant.bundles.store import open_bundle
from sextant.bundles.writer import ImportOptions
from sextant.contract.errors import BundleRefused
from sextant.contract.events import Estimator
from sextant.families.transformer import FAMILY, decoder_import
from sextant.families.transformer.decoder_import import import_decoder
from sextant.runtime.rng import RequestRng
from sextant.runtime.session import SessionConfig
from tests.families.transformer import tiny_decoders
from tests.families.transformer.conftest import Imported


def test_an_imported_decoder_says_what_it_is(exact_decoder: Imported) -> None:
    manifest = open_bundle(exact_decoder.bundle.path).manifest

    assert manifest.family == "transformer"
    assert manifest.score_estimator is Estimator.EXACT
    assert manifest.parity is not None
    assert 0 < manifest.parity.max_rel_error < 1e-5
    assert {"model.onnx", "tokenizer.json", "chat_template.jinja"} <= manifest.files.keys()
    assert manifest.context_tokens == manifest.network["decoder"]["max_positions"]


def test_a_loaded_family_warms_up(any_decoder: Imported) -> None:
    sampler = FAMILY.load(any_decoder.bundle, SessionConfig())
    for task in FAMILY.warm_up(any_decoder.bundle):
        state = sampler.start(task, RequestRng(task.seed, task.index))
        while not state.done:
            sampler.step([state])
        sampler.release(state)


def test_int8_takes_less_than_half_the_room(tmp_path: Path) -> None:
    tiny_decoders.llama(tmp_path / "weights", initializer_range=0.1, hidden_size=192, intermediate_size=384)
    sizes = {
        precision: import_decoder(
            tmp_path / "weights", tmp_path, ImportOptions(name=precision, precision=precision), no_progress
        )
        for precision in ("fp32", "int8")
    }
    networks = {
        precision: sum(file.bytes for name, file in bundle.manifest.files.items() if name.startswith("model.onnx"))
        for precision, bundle in sizes.items()
    }
    assert networks["int8"] < networks["fp32"] / 2


def test_a_network_that_departs_from_its_reference_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_decoders.llama(tmp_path / "weights")
    monkeypatch.setitem(decoder_import.TOLERANCES, "fp32", 1e-9)
    with pytest.raises(BundleRefused, match="relative error"):
        import_decoder(tmp_path / "weights", tmp_path / "out", ImportOptions(name="tiny"), no_progress)
    assert [entry.name for entry in (tmp_path / "out").iterdir() if not entry.name.endswith(".lock")] == []


@pytest.mark.parametrize("context", [1, 513])
def test_a_context_that_the_weights_were_not_made_for_is_refused(tmp_path: Path, context: int) -> None:
    tiny_decoders.llama(tmp_path / "weights")
    with pytest.raises(BundleRefused, match="context"):
        import_decoder(
            tmp_path / "weights", tmp_path / "out", ImportOptions(name="tiny", context_tokens=context), no_progress
        )


def test_a_tokenizer_with_more_tokens_than_the_network_is_refused(tmp_path: Path) -> None:
    tiny_decoders.llama(tmp_path / "weights", vocab_size=200)
    with pytest.raises(BundleRefused, match="tokens"):
        import_decoder(tmp_path / "weights", tmp_path / "out", ImportOptions(name="tiny"), no_progress)


def test_the_makers_way_of_sampling_becomes_the_default(tmp_path: Path) -> None:
    tiny_decoders.llama(tmp_path / "weights")
    said = {"do_sample": True, "temperature": 0.6, "top_p": 0.9}
    (tmp_path / "weights" / "generation_config.json").write_text(json.dumps(said))
    bundle = import_decoder(tmp_path / "weights", tmp_path / "out", ImportOptions(name="tiny"), no_progress)
    assert (bundle.manifest.defaults["temperature"], bundle.manifest.defaults["top_p"]) == (0.6, 0.9)


def test_progress_is_told_from_reading_to_writing(tmp_path: Path) -> None:
    tiny_decoders.llama(tmp_path / "weights")
    told: list[str] = []
    import_decoder(
        tmp_path / "weights",
        tmp_path / "out",
        ImportOptions(name="tiny"),
        lambda description, done, total: told.append(description),
    )
    assert told[0] == "reading weights"
    assert told[-1] == "writing the bundle"
