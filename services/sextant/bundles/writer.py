"""Writing a bundle: all of it or nothing, and only past the publish gate."""

import shutil
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypedDict, Unpack, cast

import tomli_w
from filelock import FileLock
from pydantic import Field, StringConstraints
from pydantic.dataclasses import dataclass

from sextant.bundles.manifest import LatentSpace, Manifest, Measurement, Name, Parity
from sextant.bundles.store import Bundle, open_bundle
from sextant.bundles.verify import MANIFEST_NAME, check_listed_name, check_parity, parse_manifest
from sextant.contract.errors import BundleRefused
from sextant.contract.events import Estimator
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind

__all__ = ["Bundle", "ImportOptions", "ManifestFields", "Version", "with_measurements", "write_bundle"]

Version = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class ImportOptions:
    """What whoever imports foreign weights decides about the bundle made of them.

    `context_tokens` None leaves it to the family: the longest that the weights were trained for, or less where
    that would take too much memory. `defaults` go over the sampling defaults that the weights bring. Raises
    pydantic's `ValidationError` where a field cannot stand in a manifest.
    """

    name: Name
    version: Version = "1.0.0"
    precision: Literal["fp32", "int8"] = "fp32"
    description: str = ""
    license: str = "unknown"
    provenance: str = "unknown"
    context_tokens: int | None = Field(default=None, gt=0)
    defaults: Mapping[str, float] = Field(default_factory=dict)


class ManifestFields(TypedDict):
    """The fields of `Manifest` that a writer gives; `files` is worked out from the files themselves."""

    name: str
    version: str
    family: str
    architecture: str
    description: str
    tasks: Sequence[TaskKind]
    deterministic: bool
    license: str
    provenance: str
    parity: NotRequired[Parity | None]
    inputs: NotRequired[Sequence[Modality]]
    outputs: NotRequired[Sequence[Modality]]
    latent_spaces: NotRequired[Sequence[LatentSpace]]
    score_estimator: NotRequired[Estimator | None]
    context_tokens: NotRequired[int]
    network: NotRequired[dict[str, Any]]
    defaults: NotRequired[dict[str, Any]]
    graph: NotRequired[dict[str, Any]]
    measurements: NotRequired[Sequence[Measurement]]


def write_bundle(directory: Path, files: Mapping[str, Path | bytes], **fields: Unpack[ManifestFields]) -> Bundle:
    """Writes the bundle `directory / name` and opens it, verified like any other; replaces one already there.

    `directory` is a directory of bundles. The keys of `files` are paths inside the bundle, the values files to
    copy or their contents. Raises `BundleRefused`, and leaves no trace, where a field or file is not fit for a
    bundle, where parity is missing or over its tolerance, or where an ONNX file is not whole.
    """
    name = fields["name"]
    placeholder = {path: {"sha256": "0" * 64, "bytes": 0} for path in files}
    draft = parse_manifest(name, {**fields, "files": placeholder})
    check_parity(draft)
    for path in files:
        check_listed_name(name, path)

    directory.mkdir(parents=True, exist_ok=True)
    # Readers only ever see names without a leading dot; the lock leaves one writer per name, and what a killed
    # writer left behind is swept by the next.
    with FileLock(directory / f".{name}.lock"):
        staging = directory / f".{name}.new"
        shutil.rmtree(staging, ignore_errors=True)
        try:
            target = staging / name
            target.mkdir(parents=True)
            listed = {path: _put(target / path, content) for path, content in files.items()}
            (target / MANIFEST_NAME).write_bytes(_to_toml(parse_manifest(name, {**fields, "files": listed})))
            written = open_bundle(target)
            _replace(directory / name, target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return Bundle(directory / name, written.manifest, written.digest)


def with_measurements(bundle: Bundle, measurements: Sequence[Measurement]) -> Bundle:
    """Writes the bundle anew with these measurements in place of those it had; all else stays."""
    fields = {name: getattr(bundle.manifest, name) for name in bundle.manifest.model_fields_set}
    for worked_out in ("files", "schema_version"):
        fields.pop(worked_out, None)
    fields["measurements"] = tuple(measurements)
    files: dict[str, Path | bytes] = {name: bundle.file(name).read_bytes() for name in bundle.manifest.files}
    return write_bundle(bundle.path.parent, files, **cast(ManifestFields, fields))


def _put(path: Path, content: Path | bytes) -> dict[str, Any]:
    """Writes `content` to `path`; its entry in the manifest, hashed on the way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
        return {"sha256": sha256(content).hexdigest(), "bytes": len(content)}
    digest, size = sha256(), 0
    with content.open("rb") as source, path.open("wb") as copy:
        while chunk := source.read(_CHUNK_BYTES):
            copy.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return {"sha256": digest.hexdigest(), "bytes": size}


def _to_toml(manifest: Manifest) -> bytes:
    try:
        content = manifest.model_dump(exclude_none=True, exclude_unset=True)
        return tomli_w.dumps({"schema_version": manifest.schema_version, **content}).encode("utf-8")
    except TypeError as error:
        raise BundleRefused(manifest.name, f"{MANIFEST_NAME} cannot hold it: {error}") from error


def _replace(target: Path, new: Path) -> None:
    """Puts the directory `new` where `target` is. Whoever has the old one's files open keeps them."""
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)
