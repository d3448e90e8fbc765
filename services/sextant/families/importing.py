"""Foreign weights into bundles: looking at what is there, and handing it to the family that knows it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from filelock import FileLock

from sextant.bundles.catalogue import entry
from sextant.bundles.progress import ProgressFn, no_progress
from sextant.bundles.sources import fetch, parse_source
from sextant.bundles.store import Bundle, open_bundle
from sextant.bundles.writer import ImportOptions
from sextant.contract.errors import BundleRefused

Importer = Callable[[Path, Path, ImportOptions, ProgressFn], Bundle]

DECODER_MODEL_TYPES = frozenset({"llama", "gpt2"})
ENCODER_MODEL_TYPES = frozenset({"bert"})
SEQ2SEQ_MODEL_TYPES = frozenset({"t5"})
_CONFIG_LIMIT_BYTES = 4 << 20


def import_model(path: Path, destination: Path, options: ImportOptions, progress: ProgressFn = no_progress) -> Bundle:
    """Makes the bundle `destination / options.name` of the weights at `path`.

    `path` is a GGUF file or a Hugging Face directory: `config.json` with safetensors weights and a tokenizer.
    Raises `BundleRefused` where it is neither, where its architecture is one that no family imports, or where
    the result does not come out at parity with its reference.
    """
    return _importer_for(path, options.name)(path, destination, options, progress)


def pull(
    name: str, cache_dir: Path, progress: ProgressFn = no_progress, *, client: httpx.Client | None = None
) -> Bundle:
    """The model `name` of the catalogue as a bundle in `cache_dir / "bundles"`, fetched and converted if need be.

    A bundle of the catalogue's version that is there and passes verification is returned at once, without
    network, and also from a cache that may not be written. Of several processes that pull one model, one works
    and the others wait. `client` is for `fetch`.

    Raises `SourceUnavailable` and `BundleRefused`.
    """
    wanted = entry(name)
    destination = cache_dir / "bundles"
    if present := _present(destination / name, wanted.version):
        return present
    destination.mkdir(parents=True, exist_ok=True)
    with FileLock(destination / f".{name}.pull.lock"):
        if present := _present(destination / name, wanted.version):  # made while we waited
            return present
        weights = fetch(parse_source(wanted.source), wanted.sha256, cache_dir, progress, client=client)
        options = ImportOptions(
            name=name,
            version=wanted.version,
            precision=wanted.precision,
            description=wanted.description,
            license=wanted.license,
            provenance=wanted.provenance,
            defaults=wanted.defaults,
        )
        return import_model(weights, destination, options, progress)


def _present(directory: Path, version: str) -> Bundle | None:
    """The bundle in `directory`, if there is one that may be served and is of that version."""
    try:
        bundle = open_bundle(directory)
    except BundleRefused:
        return None
    return bundle if bundle.manifest.version == version else None


def _importer_for(path: Path, name: str) -> Importer:
    # Imported when needed: the importers bring graph builders that listing or verifying bundles has no use for.
    if path.is_file():
        if path.suffix != ".gguf":
            raise BundleRefused(name, f"{path.name} is no GGUF file; safetensors come as a directory with config.json")
        return _decoder_importer()
    model_type = _config(path, name).get("model_type")
    if not any(path.glob("*.safetensors")):
        raise BundleRefused(name, f"{path.name} holds no safetensors weights; pickled ones are never read")
    if model_type in DECODER_MODEL_TYPES:
        return _decoder_importer()
    if model_type in ENCODER_MODEL_TYPES:
        return _encoder_importer()
    if model_type in SEQ2SEQ_MODEL_TYPES:
        return _seq2seq_importer()
    known = ", ".join(sorted(DECODER_MODEL_TYPES | ENCODER_MODEL_TYPES | SEQ2SEQ_MODEL_TYPES))
    raise BundleRefused(name, f"models of type {model_type!r} cannot be imported; those of type {known} can")


def _config(directory: Path, name: str) -> dict[str, Any]:
    path = directory / "config.json"
    if not path.is_file():
        raise BundleRefused(name, f"{directory} is neither a GGUF file nor a directory with config.json")
    if path.stat().st_size > _CONFIG_LIMIT_BYTES:
        raise BundleRefused(name, f"config.json is larger than {_CONFIG_LIMIT_BYTES} bytes")
    try:
        config = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BundleRefused(name, f"config.json is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise BundleRefused(name, "config.json is not a JSON object")
    return config


def _decoder_importer() -> Importer:
    from sextant.families.transformer.decoder_import import import_decoder

    return import_decoder


def _encoder_importer() -> Importer:
    from sextant.families.transformer.encoder_import import import_encoder

    return import_encoder


def _seq2seq_importer() -> Importer:
    from sextant.families.transformer.seq2seq_import import import_seq2seq

    return import_seq2seq
