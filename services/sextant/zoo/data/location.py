"""Where data sets and checkpoints lie, and what to say when one is missing."""

import os
from pathlib import Path

from sextant.bundles.store import cache_directory


class DataMissing(Exception):
    """A data set is not on this machine; the message says how to get it."""


def zoo_directory() -> Path:
    """`SEXTANT_ZOO_DIR`, or `zoo` beside the pulled bundles; made if missing."""
    chosen = os.environ.get("SEXTANT_ZOO_DIR")
    directory = Path(chosen) if chosen else cache_directory() / "zoo"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def found(path: Path, how: str) -> Path:
    """`path` if it is there. Raises `DataMissing` with `how` to get it."""
    if not path.exists():
        raise DataMissing(f"{path} is missing. {how}")
    return path
