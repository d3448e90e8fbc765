"""The Python client: `Client` and `AsyncClient`, alike but for the waiting.

>>> from sextant.client import Client
>>> with Client() as client:                                    # doctest: +SKIP
...     for delta in client.generate_text("Tell me a story."):
...         print(delta.text, end="", flush=True)
"""

from sextant.client.aio import AsyncClient, AsyncTextStream
from sextant.client.answers import Answer, Receipt, Served, TextPiece
from sextant.client.errors import (
    ClientError,
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    Overloaded,
    ServerError,
    Unavailable,
    Unsupported,
)
from sextant.client.sync import Client, TextStream

__all__ = [
    "Answer",
    "AsyncClient",
    "AsyncTextStream",
    "Client",
    "ClientError",
    "DeadlineExceeded",
    "InvalidArgument",
    "NotFound",
    "Overloaded",
    "Receipt",
    "Served",
    "ServerError",
    "TextPiece",
    "TextStream",
    "Unavailable",
    "Unsupported",
]
