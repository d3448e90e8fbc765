"""Files that a running gateway looks at again: the guide, the API keys, the certificates."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

PERIOD_S = 1.0

# What tells one state of a file from another: a rename brings another inode, an edit another time or size.
_State = tuple[int, int, int] | None


class WatchedFiles:
    """Tells when any of some files has changed since it was last asked, or appeared, or went."""

    def __init__(self, *paths: Path) -> None:
        self._paths = paths
        self._seen = self._states()

    def changed(self) -> bool:
        """Whether there is something new. Each change is told once."""
        states = self._states()
        before, self._seen = self._seen, states
        return states != before

    def _states(self) -> tuple[_State, ...]:
        return tuple(_state(path) for path in self._paths)


async def look_again(look: Callable[[], Awaitable[object]], period_s: float = PERIOD_S) -> None:
    """Look every `period_s`, for ever."""
    while True:
        await asyncio.sleep(period_s)
        await look()


def _state(path: Path) -> _State:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
