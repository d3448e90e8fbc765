"""The guide of a running gateway: read anew when its file changes, kept when the file is broken."""

import asyncio
import logging
import time
from pathlib import Path

from sextant.gateway import metrics
from sextant.gateway.guide.schema import Guide, GuideError, load_guide
from sextant.gateway.watched_files import WatchedFiles

log = logging.getLogger(__name__)


class GuideKeeper:
    """Keeps the guide in the file at `path`. Raises `GuideError` where there is none to begin with."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files = WatchedFiles(path)
        self._guide = load_guide(path)
        _tell(self._guide)

    @property
    def guide(self) -> Guide:
        """The last guide that was right. Read it once for each request: it may be another one the next time."""
        return self._guide

    async def look(self) -> bool:
        """Read the file if it changed; whether there is a new guide. A broken one is told to the log and left out."""
        if not self._files.changed():
            return False
        try:
            guide = await asyncio.to_thread(load_guide, self._path)
        except GuideError as error:
            metrics.GUIDE_FAILURES.inc()
            log.error("the guide was not reloaded, the old one stays:\n%s", error)
            return False
        if guide.digest == self._guide.digest:
            return False
        self._guide = guide
        metrics.GUIDE_RELOADS.inc()
        _tell(guide)
        log.info("the guide was reloaded: %d rows, sha256 %s", len(guide.rows), guide.digest)
        return True


def _tell(guide: Guide) -> None:
    metrics.GUIDE_LOADED.set(time.time())
    metrics.GUIDE.info({"sha256": guide.digest, "rows": str(len(guide.rows))})
