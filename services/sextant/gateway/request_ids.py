"""The id of a request: the caller's own where it can be one, else made here."""

import uuid
from typing import Any

# What we tell it by, in the initial metadata of every answer.
TOLD_AS = "sextant-request-id"
# What proxies and other services hand it on by.
_HEADER = "x-request-id"
_LONGEST = 128


def request_id_of(metadata: Any, asked: str = "") -> str:
    """The id that the message asks for, that of the metadata, or a new one."""
    if _is_well_formed(asked):
        return asked
    for name, value in metadata or ():
        if name == _HEADER and isinstance(value, str) and _is_well_formed(value):
            return value
    return uuid.uuid4().hex


def _is_well_formed(given: str) -> bool:
    return 0 < len(given) <= _LONGEST and given.isascii() and given.isprintable()
