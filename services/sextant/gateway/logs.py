"""What a gateway tells its log: plain lines for people, or a JSON object a line for machines.

Who logs something with more to it than its sentence says so by `extra={"fields": {...}}`; only JSON shows those.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal

_PLAIN = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonFormatter(logging.Formatter):
    """One line of JSON: `time` (UTC), `level`, `logger`, `message`, `error` with its traceback, and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["error"] = self.formatException(record.exc_info)
        # What is told of every line goes before a field of the same name.
        return json.dumps({**getattr(record, "fields", {}), **told}, default=str)


def set_up_logging(level: str, form: Literal["plain", "json"]) -> None:
    """Everything that this process logs, from `level` on, to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else logging.Formatter(_PLAIN))
    logging.basicConfig(level=level, handlers=[handler])
