"""Tiny decoders, imported once per run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sextant.bundles.progress import no_progress
from sextant.bundles.store import Bundle
from sextant.bundles.writer import ImportOptions
from sextant.families.transformer.decoder_import import import_decoder
from sextant.families.transformer.sampler import DecoderSampler
from sextant.runtime.session import SessionConfig
from tests.families.transformer import tiny_decoders


@dataclass(frozen=True)
class Imported:
    """A bundle with the model that it was made of."""

    bundle: Bundle
    model: Any

    def sampler(self) -> DecoderSampler:
        return DecoderSampler.load(self.bundle, SessionConfig())


@pytest.fixture(scope="session", params=["llama-fp32", "gpt2-fp32", "llama-int8"])
def any_decoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Imported:
    architecture, _, precision = request.param.partition("-")
    return _imported(architecture, precision, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="session", params=["llama", "gpt2"])
def exact_decoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Imported:
    return _imported(request.param, "fp32", tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Imported:
    return _imported("llama", "fp32", tmp_path_factory.mktemp("llama"))


def _imported(architecture: str, precision: Any, directory: Path) -> Imported:
    build = {"llama": tiny_decoders.llama, "gpt2": tiny_decoders.gpt2}[architecture]
    # A narrow spread of random weights keeps the rounding of int8 within its tolerance, as trained ones do.
    model = build(directory / "weights", **({"initializer_range": 0.1} if precision == "int8" else {}))
    options = ImportOptions(name=architecture, precision=precision)
    return Imported(import_decoder(directory / "weights", directory / "bundles", options, no_progress), model)
