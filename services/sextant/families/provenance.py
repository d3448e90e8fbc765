"""Where a trained model comes from: the part of its manifest that its recipe says, not its network."""

from dataclasses import dataclass
from typing import TypedDict


class ProvenanceFields(TypedDict):
    """The manifest's fields of that name."""

    version: str
    description: str
    license: str
    provenance: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """`data` says what it was trained on and under which licence that is; `license` is that of the weights."""

    description: str
    data: str
    version: str = "1.0.0"
    license: str = "Apache-2.0"

    def fields(self) -> ProvenanceFields:
        """As `write_bundle` takes them."""
        return {
            "version": self.version,
            "description": self.description,
            "license": self.license,
            "provenance": self.data,
        }
