"""Pins: the sha256 that fetched files must have."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from sextant.contract.errors import SourceUnavailable

# The sha256 of the one file that is fetched, or of files by their path in the fetched folder, or None.
Pins = Mapping[str, str] | str | None


def check_file(path: Path, sha256: str, what: str) -> None:
    """Raises `SourceUnavailable` where the file at `path`, called `what` in the message, has another sha256."""
    found = sha256_of(path)
    if found != sha256:
        raise SourceUnavailable(f"{what} is not what was pinned: its sha256 is {found}, not {sha256}")


def check_listed(place: Path, pins: Mapping[str, str]) -> None:
    """Checks the pinned files in the folder `place`; where `place` is a file, `pins` may only name that file."""
    folder = place if place.is_dir() else place.parent
    for name, sha256 in pins.items():
        path = folder / name
        if not path.is_file() or (place.is_file() and path != place):
            raise SourceUnavailable(f"{name} is pinned but was not in what was fetched")
        check_file(path, sha256, name)


def sha256_of(path: Path) -> str:
    """The sha256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
