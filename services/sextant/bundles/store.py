"""Bundles on disk: where they are looked for, and opening one only after every check has passed."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from pydantic import TypeAdapter, ValidationError

from sextant.bundles.manifest import Manifest, Name
from sextant.bundles.verify import MANIFEST_NAME, check_files, check_parity, read_manifest, resolve_inside
from sextant.contract.errors import BundleRefused, ModelNotFound

SHIPPED_DIRECTORY = Path(__file__).parent / "shipped"
_NAME: TypeAdapter[str] = TypeAdapter(Name)


@dataclass(frozen=True)
class Bundle:
    """A verified bundle: its files had the recorded contents when it was opened.

    `digest` is its identity, in hexadecimal; see `digest_of`.
    """

    path: Path
    manifest: Manifest
    digest: str

    def file(self, name: str) -> Path:
        """The file that the manifest lists as `name`; `BundleRefused` where it lists none of that name."""
        if name not in self.manifest.files:
            raise BundleRefused(self.manifest.name, f"its manifest lists no file {name!r}")
        return resolve_inside(self.path, name, self.manifest.name)

    @property
    def size_bytes(self) -> int:
        """Size of the files that the manifest lists."""
        return sum(file.bytes for file in self.manifest.files.values())


class BundleStore:
    """Bundles in several directories; where two hold a bundle of one name, the earlier directory wins.

    It wins even if its bundle is damaged: serving another one silently would hide the damage.
    """

    def __init__(self, directories: Sequence[Path]) -> None:
        self.directories = tuple(directories)

    @classmethod
    def default(cls) -> "BundleStore":
        """The directories of `SEXTANT_BUNDLE_PATH` in their order, then the user's cache, then what ships.

        So a bundle of one's own replaces a pulled one of the same name, and both replace a shipped one.
        """
        extra = [Path(entry) for entry in os.environ.get("SEXTANT_BUNDLE_PATH", "").split(os.pathsep) if entry]
        return cls([*extra, pulled_directory(), SHIPPED_DIRECTORY])

    def names(self) -> tuple[str, ...]:
        """The names of all bundles, sorted; damaged ones too."""
        found = {
            entry.parent.name
            for directory in self.directories
            for entry in directory.glob(f"*/{MANIFEST_NAME}")
            if _is_name(entry.parent.name)
        }
        return tuple(sorted(found))

    def find(self, name: str) -> Path:
        """The directory of the bundle `name`, unverified. Raises `ModelNotFound`."""
        if _is_name(name):
            for directory in self.directories:
                if os.path.lexists(directory / name / MANIFEST_NAME):
                    return directory / name
        raise ModelNotFound(name, self.names())

    def manifest(self, name: str) -> Manifest:
        """What the bundle says of itself, its files unverified. Raises `ModelNotFound` and `BundleRefused`."""
        return read_manifest(self.find(name))

    def open(self, name: str) -> Bundle:
        """The bundle, fully verified. Raises `ModelNotFound` and `BundleRefused`.

        Reads every byte of it, at one to two seconds a gigabyte; while an ONNX file is checked, it takes memory twice
        its size (external data do not count).
        """
        return open_bundle(self.find(name))


def open_bundle(directory: Path) -> Bundle:
    """The bundle in `directory`, fully verified. Raises `BundleRefused`."""
    manifest = read_manifest(directory)
    check_parity(manifest)
    check_files(directory, manifest)
    return Bundle(directory, manifest, digest_of(manifest))


def digest_of(manifest: Manifest) -> str:
    """The sha256 that names a bundle's content, in hexadecimal.

    It covers, in this order: for each file, sorted by path, "<path>\\0<sha256>\\n"; then the rest of the manifest
    as JSON with sorted keys, no spaces, ASCII only, dates as text, and without the keys that have their default
    value. So it depends neither on how `model.toml` is laid out nor on keys that later versions of Sextant add.
    """
    digest = hashlib.sha256()
    for path in sorted(manifest.files):
        digest.update(f"{path}\0{manifest.files[path].sha256}\n".encode())
    rest = manifest.model_dump(exclude={"files"}, exclude_defaults=True)
    digest.update(json.dumps(rest, sort_keys=True, separators=(",", ":"), default=str).encode("ascii"))
    return digest.hexdigest()


def cache_directory() -> Path:
    """Where pulled things are kept: `SEXTANT_CACHE_DIR`, or the user's cache directory of this platform."""
    return Path(os.environ.get("SEXTANT_CACHE_DIR") or platformdirs.user_cache_dir("sextant"))


def pulled_directory() -> Path:
    """The directory of pulled and imported bundles."""
    return cache_directory() / "bundles"


def _is_name(name: str) -> bool:
    try:
        _NAME.validate_python(name)
    except ValidationError:
        return False
    return True
