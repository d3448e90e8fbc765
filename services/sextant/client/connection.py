"""How to reach a gateway, and when to ask again; shared by both clients."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from sextant.client.errors import ClientError, Overloaded, Unavailable

DEFAULT_TARGET = "127.0.0.1:50051"
CHANNEL_OPTIONS: Sequence[tuple[str, Any]] = (("grpc.max_receive_message_length", -1),)


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files: the authority that signed the gateway's certificate, and our own certificate for mutual TLS."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """gRPC's form of these."""

        def read(path: Path | None) -> bytes | None:
            return None if path is None else path.read_bytes()

        return grpc.ssl_channel_credentials(read(self.ca), read(self.key), read(self.certificate))


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Ask again only where the server says when: its answer carries RetryInfo, and nothing was received yet."""

    attempts: int = 4

    def pause_s(self, error: ClientError, attempt: int, time_left_s: float | None) -> float | None:
        """How long to wait before attempt `attempt` + 1, jittered; None to give up."""
        if not isinstance(error, Overloaded | Unavailable) or error.retry_after_s is None:
            return None
        pause = error.retry_after_s * random.uniform(1.0, 1.5)
        if attempt >= self.attempts or (time_left_s is not None and pause >= time_left_s):
            return None
        return pause
