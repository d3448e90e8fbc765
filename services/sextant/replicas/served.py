"""What a replica says of a model that it serves."""

from dataclasses import dataclass

from sextant.bundles.manifest import Manifest


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that is loaded and warm. `providers` are ONNX Runtime's names, the one in use first."""

    manifest: Manifest
    digest: str
    size_bytes: int
    providers: tuple[str, ...]
    onnxruntime_version: str
