"""The catalogue as it ships."""

import pytest
from pydantic import ValidationError

from sextant.bundles.catalogue import CatalogueEntry, catalogue, entry
from sextant.bundles.sources import WheelSource, parse_source
from sextant.contract.errors import SourceUnavailable

ENTRY = {
    "version": "1.0.0",
    "family": "transformer",
    "source": "pypi:weights==1.0#m.gguf",
    "sha256": "0" * 64,
    "precision": "int8",
    "license": "Apache-2.0",
    "provenance": "a test",
    "description": "A test",
    "download_bytes": 1,
}


def test_every_model_of_the_catalogue_is_pinned_and_under_a_stated_licence() -> None:
    assert {"smollm2-135m-instruct", "smollm2-135m-instruct-fp32", "minilm-l6-v2"} <= set(catalogue())
    for name in catalogue():
        assert entry(name).license == "Apache-2.0"
        assert isinstance(parse_source(entry(name).source), WheelSource)


def test_a_model_that_is_not_in_the_catalogue_is_answered_with_those_that_are() -> None:
    with pytest.raises(SourceUnavailable, match=r"no model 'gpt-9'; it has .*minilm-l6-v2"):
        entry("gpt-9")


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": "http://example.org/m.gguf"},
        {"source": "hf:org/name@main"},
        {"sha256": "none"},
        {"sha256": {"m.gguf": "none"}},
        {"precision": "fp8"},
        {"download_bytes": 0},
        {"license": ""},
        {"mirror": "elsewhere"},
    ],
)
def test_an_entry_that_is_wrong_anywhere_is_refused(wrong: dict[str, object]) -> None:
    CatalogueEntry.model_validate(ENTRY)
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        CatalogueEntry.model_validate({**ENTRY, **wrong})
