"""The catalogue: models that can be pulled, from where, and what their files must hash to."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from sextant.bundles.manifest import Name, Sha256
from sextant.bundles.sources import parse_source
from sextant.bundles.writer import Version
from sextant.contract.errors import SourceUnavailable

CATALOGUE_FILE = Path(__file__).with_name("catalogue.toml")


def _is_source(text: str) -> str:
    parse_source(text)
    return text


class CatalogueEntry(BaseModel):
    """A model that can be pulled; its name is its key in the catalogue.

    `sha256` as for `sextant.bundles.sources.fetch`; `download_bytes` is about what pulling it transfers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Version
    family: Name
    source: Annotated[str, AfterValidator(_is_source)]
    sha256: Sha256 | dict[str, Sha256]
    precision: Literal["fp32", "int8"]
    license: str = Field(min_length=1)
    provenance: str = Field(min_length=1)
    description: str = Field(min_length=1)
    download_bytes: int = Field(gt=0)
    # Sampling defaults for the manifest, over those that the weights bring; the family checks the keys.
    defaults: dict[str, float] = {}


_CATALOGUE = TypeAdapter(dict[Name, CatalogueEntry])


@cache
def catalogue(path: Path = CATALOGUE_FILE) -> dict[str, CatalogueEntry]:
    """All entries by name. Raises pydantic's `ValidationError`: the file is part of the program."""
    return _CATALOGUE.validate_python(tomllib.loads(path.read_text(encoding="utf-8")))


def entry(name: str) -> CatalogueEntry:
    """The entry of that name. Raises `SourceUnavailable`."""
    known = catalogue()
    if name not in known:
        raise SourceUnavailable(f"the catalogue has no model {name!r}; it has {', '.join(known)}")
    return known[name]
