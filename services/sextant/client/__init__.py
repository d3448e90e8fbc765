"""The Python client: `Client` and `AsyncClient`, alike but for the waiting.

>>> from sextant.client import Client
>>> with Client() as client:                                    # doctest: +SKIP
...     for delta in client.generate_text("Tell me a story."):
...         print(delta.text, end="", flush=True)
"""

from sextant.client.aio import AsyncClient, AsyncEventStream, AsyncTextStream
from sextant.client.answers import (
    Accepted,
    Answer,
    AudioPiece,
    Decided,
    Event,
    Listed,
    Receipt,
    Served,
    TextPiece,
    Tier,
    Understood,
    as_array,
    as_picture,
)
from sextant.client.connection import RetryPolicy, Tls
from sextant.client.errors import (
    Cancelled,
    ClientError,
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    Overloaded,
    PermissionDenied,
    ServerError,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unsupported,
)
from sextant.client.replaying import Replayed
from sextant.client.stored import as_line, read_stored
from sextant.client.sync import Client, EventStream, TextStream

__all__ = [
    "Accepted",
    "Answer",
    "AsyncClient",
    "AsyncEventStream",
    "AsyncTextStream",
    "AudioPiece",
    "Cancelled",
    "Client",
    "ClientError",
    "DeadlineExceeded",
    "Decided",
    "Event",
    "EventStream",
    "InvalidArgument",
    "Listed",
    "NotFound",
    "Overloaded",
    "PermissionDenied",
    "Receipt",
    "Replayed",
    "RetryPolicy",
    "Served",
    "ServerError",
    "TextPiece",
    "TextStream",
    "Tier",
    "Tls",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
    "Understood",
    "Unsupported",
    "as_array",
    "as_line",
    "as_picture",
    "read_stored",
]
