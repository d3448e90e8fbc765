"""The API keys of a running gateway: read anew when their file changes, kept when the file is broken."""

import asyncio
import logging
from pathlib import Path

from sextant.gateway import metrics
from sextant.gateway.access.keys import KeyFileError, now_utc, read_keys
from sextant.gateway.access.limits import Allowance
from sextant.gateway.watched_files import WatchedFiles

log = logging.getLogger(__name__)


class KeyKeeper:
    """Keeps the keys in the file at `path`. Raises `KeyFileError` where it is broken to begin with."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files = WatchedFiles(path)
        self._keys = read_keys(path)
        self._allowances: dict[str, Allowance] = {}
        metrics.KEYS.set(len(self._keys.keys))

    def authenticated(self, token: str) -> tuple[str, Allowance]:
        """The name of the key, and what it has left. Raises `Unauthenticated`."""
        name, key = self._keys.authenticated(token, now_utc())
        allowance = self._allowances.get(name)
        # A key made anew, or with other limits, begins anew.
        if allowance is None or allowance.key != key:
            allowance = self._allowances[name] = Allowance(key)
        return name, allowance

    async def look(self) -> bool:
        """Read the file if it changed; whether there are new keys. A broken one is told to the log and left out."""
        if not self._files.changed():
            return False
        try:
            keys = await asyncio.to_thread(read_keys, self._path)
        except KeyFileError as error:
            metrics.KEY_FAILURES.inc()
            log.error("the API keys were not reloaded, the old ones stay:\n%s", error)
            return False
        if keys == self._keys:
            return False
        gone = self._keys.keys.keys() - keys.keys.keys()
        self._keys = keys
        for name in gone:
            self._allowances.pop(name, None)
            metrics.forget_key(name)
        metrics.KEYS.set(len(keys.keys))
        log.info("the API keys were reloaded: %d, of which %d are gone", len(keys.keys), len(gone))
        return True
