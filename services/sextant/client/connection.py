"""How to reach a gateway, and when to ask again; shared by both clients."""

import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from sextant.client.errors import Overloaded, Unavailable, from_grpc

DEFAULT_TARGET = "127.0.0.1:50051"
_LOOPBACK = ("127.", "localhost:", "[::1]:", "unix:")


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files: the authority that signed the gateway's certificate, and our own certificate for mutual TLS.

    Without `ca`, the authorities that gRPC brings along.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """gRPC's form of these. OSError where a file cannot be read."""

        def read(path: Path | None) -> bytes | None:
            return None if path is None else path.read_bytes()

        return grpc.ssl_channel_credentials(read(self.ca), read(self.key), read(self.certificate))


def channel_options(target: str) -> list[tuple[str, Any]]:
    """Answers of any size; no proxy on the way to this very machine, whatever the environment says."""
    options: list[tuple[str, Any]] = [("grpc.max_receive_message_length", -1)]
    if target.startswith(_LOOPBACK):
        options.append(("grpc.enable_http_proxy", 0))
    return options


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Ask again only where the server says when: its answer carries RetryInfo, and nothing was received yet.

    At most `attempts` times in all, and not where the server asks for a longer pause than `longest_pause_s`.
    """

    attempts: int = 4
    longest_pause_s: float = 30.0


class Attempts:
    """The tries of one call: how much time each has, and whether there is another one."""

    def __init__(self, policy: RetryPolicy, timeout: float | None) -> None:
        self._policy = policy
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._made = 0

    def time_left_s(self) -> float | None:
        """What is left for the next try; None without a deadline."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def pause_s(self, error: grpc.RpcError, *, begun: bool = False) -> float:
        """How long to wait, jittered, before asking again; raises the typed error where there is no more to try."""
        self._made += 1
        typed = from_grpc(error)
        if begun or not isinstance(typed, Overloaded | Unavailable) or typed.retry_after_s is None:
            raise typed from error
        pause, left = typed.retry_after_s * random.uniform(1.0, 1.5), self.time_left_s()
        out_of_time = left is not None and pause >= left
        if self._made >= self._policy.attempts or typed.retry_after_s > self._policy.longest_pause_s or out_of_time:
            raise typed from error
        return pause
