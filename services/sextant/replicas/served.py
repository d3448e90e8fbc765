"""What a replica says of the models that it serves, and of those that it must not."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sextant.bundles.manifest import Manifest


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that is loaded and warm. `providers` are ONNX Runtime's names, the one in use first."""

    manifest: Manifest
    digest: str
    size_bytes: int
    providers: tuple[str, ...]
    onnxruntime_version: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What a replica offers: its warm models, and why each refused bundle is not among them; both by name."""

    models: Mapping[str, ServedModel]
    refused: Mapping[str, str] = field(default_factory=dict)
