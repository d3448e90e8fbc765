"""Whether a bundle may be read at all. Every check that stands between a directory on disk and a served model."""

import hashlib
import stat
import tomllib
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from sextant.bundles.manifest import Manifest
from sextant.bundles.onnx_files import check_onnx
from sextant.contract.errors import BundleRefused

MANIFEST_NAME = "model.toml"
MANIFEST_LIMIT_BYTES = 4 << 20

# .data and .onnx_data are ONNX's external data; they are read only where an .onnx of the bundle refers to them.
EXTERNAL_DATA_SUFFIXES = frozenset({".data", ".onnx_data"})
READABLE_SUFFIXES = EXTERNAL_DATA_SUFFIXES | {".onnx", ".safetensors", ".gguf", ".json", ".toml", ".txt", ".jinja"}
PICKLE_SUFFIXES = frozenset({".pkl", ".pickle", ".pt", ".pth", ".bin", ".ckpt", ".joblib", ".npy", ".npz"})


def read_manifest(directory: Path) -> Manifest:
    """The manifest of the bundle in `directory`, without a look at the files it lists.

    Raises `BundleRefused` where it is missing, malformed, or names another bundle than its directory does.
    """
    name = directory.name
    path = resolve_inside(directory, MANIFEST_NAME, name)
    if path.stat().st_size > MANIFEST_LIMIT_BYTES:
        raise BundleRefused(name, f"{MANIFEST_NAME} is larger than {MANIFEST_LIMIT_BYTES} bytes")
    try:
        content = tomllib.loads(path.read_bytes().decode("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise BundleRefused(name, f"{MANIFEST_NAME} is not TOML: {error}") from error
    manifest = parse_manifest(name, content)
    if manifest.name != name:
        raise BundleRefused(name, f"{MANIFEST_NAME} is that of {manifest.name!r}, its directory is named {name!r}")
    return manifest


def parse_manifest(name: str, content: dict[str, Any]) -> Manifest:
    """`content` as a manifest; `BundleRefused` says which keys are wrong."""
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        raise BundleRefused(name, f"{MANIFEST_NAME}: {explain(error)}") from error


def explain(error: ValidationError) -> str:
    """A validation error on one line: which keys, and what is wrong with each."""
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'content'}: {one['msg']}" for one in error.errors())


def check_parity(manifest: Manifest) -> None:
    """The publish gate: parity must be recorded, and its relative error within its tolerance.

    A graph has no network of its own to be at parity: its stages are bundles that passed this gate.
    """
    if manifest.graph:
        return
    parity = manifest.parity
    if parity is None:
        raise BundleRefused(manifest.name, "no parity with a reference is recorded")
    if not parity.max_rel_error <= parity.tolerance:
        reason = f"relative error {parity.max_rel_error:.3g} against {parity.reference} is over {parity.tolerance:.3g}"
        raise BundleRefused(manifest.name, reason)


def check_files(directory: Path, manifest: Manifest) -> None:
    """Every listed file is there, of a kind we read, inside the bundle, and has the recorded size and sha256.

    ONNX files must moreover parse as complete models, whose external data are listed files of this bundle.
    Files that the manifest does not list are nobody's business: they are never read.
    """
    name = manifest.name
    for listed in manifest.files:
        check_listed_name(name, listed)
    for listed, expected in manifest.files.items():
        path = resolve_inside(directory, listed, name)
        size = path.stat().st_size
        if size != expected.bytes:
            raise BundleRefused(name, f"{listed} has {size} bytes, its manifest says {expected.bytes}")
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != expected.sha256:
            raise BundleRefused(name, f"{listed} has sha256 {found}, its manifest says {expected.sha256}")
    referred: set[str] = set()
    for listed in manifest.files:
        if listed.endswith(".onnx"):
            referred |= check_onnx(directory, listed, manifest)
    for listed in manifest.files:
        if PurePosixPath(listed).suffix in EXTERNAL_DATA_SUFFIXES and listed not in referred:
            raise BundleRefused(name, f"no ONNX file of the bundle refers to {listed}")


def check_listed_name(name: str, listed: str) -> None:
    """A path in `files` must be written in its one plain form and end in a suffix that we read."""
    path = PurePosixPath(listed)
    if path.as_posix() != listed or listed == MANIFEST_NAME or "\0" in listed:
        raise BundleRefused(name, f"{listed!r} is not the plain relative path of a file besides {MANIFEST_NAME}")
    if path.suffix.lower() in PICKLE_SUFFIXES:
        raise BundleRefused(name, f"{listed} may hold a pickle, which can run code when it is read")
    if path.suffix not in READABLE_SUFFIXES:
        raise BundleRefused(name, f"{listed} is of no kind that a bundle may hold")


def resolve_inside(directory: Path, listed: str, name: str) -> Path:
    """The regular file that `listed` resolves to, links followed; refused where that lies outside `directory`."""
    root = directory.resolve()
    try:
        path = (root / listed).resolve(strict=True)
    except (OSError, RuntimeError) as error:  # missing, or a loop of links
        raise BundleRefused(name, f"{listed} is missing") from error
    if not path.is_relative_to(root):
        raise BundleRefused(name, f"{listed} leads out of the bundle")
    if not stat.S_ISREG(path.stat().st_mode):
        raise BundleRefused(name, f"{listed} is not a regular file")
    return path
