"""A file of API keys as the command line edits it; a running gateway takes the change over."""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import tomli_w

from sextant.gateway.access.keys import KeyFile, KeyFileError, checked, new_token, read_keys

_OWNERS = 0o600


def create_key(path: Path, name: str, **settings: Any) -> str:
    """Add a key, and the file if there is none. Returns the key itself, which is kept nowhere.

    `settings` are fields of `ApiKey`; None and absent are the same. Raises `KeyFileError`.
    """
    token, sha256 = new_token(name)
    with _edited(path) as content:
        if name in content["keys"]:
            raise KeyFileError(f"{path}: there is a key {name!r} already; revoke it first")
        given = {field: value for field, value in settings.items() if value is not None}
        content["keys"][name] = {"sha256": sha256, **given}
    return token


def revoke_key(path: Path, name: str) -> None:
    """Remove a key. Raises `KeyFileError` where there is none of that name."""
    if not path.exists():
        raise KeyFileError(f"{path}: there is no such file")
    with _edited(path) as content:
        if content["keys"].pop(name, None) is None:
            raise KeyFileError(f"{path}: there is no key {name!r}")


@contextmanager
def _edited(path: Path) -> Iterator[dict[str, Any]]:
    """The content of the file, to be changed; it is checked and put in place of the old one afterwards.

    Comments in it are lost. Two who edit at once wait for each other.
    """
    with filelock.FileLock(path.with_name(path.name + ".lock"), mode=_OWNERS):
        content: dict[str, Any] = {"keys": {}}
        mode = _OWNERS
        if path.exists():
            read_keys(path)
            content |= tomllib.loads(path.read_text())
            mode = path.stat().st_mode & 0o777
        yield content
        whole: KeyFile = checked(content, path)
        part = path.with_name(path.name + ".part")
        part.unlink(missing_ok=True)
        part.touch(mode=_OWNERS)
        written = {name: _plain(key.model_dump(exclude_none=True)) for name, key in whole.keys.items()}
        part.write_bytes(tomli_w.dumps({"keys": written}).encode())
        part.chmod(mode)
        part.replace(path)


def _plain(entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "scopes": list(entry["scopes"])}
