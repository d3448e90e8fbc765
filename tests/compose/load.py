"""Callers that never stop asking, and hold every answer against the one that was given before anything went wrong."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from sextant.client import Client
from sextant.contract.v1 import generation_pb2
from tests.compose.questions import answer

_BETWEEN_S = 0.25


@dataclass
class Ledger:
    """What became of the requests."""

    right: int = 0
    wrong: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    slowest_s: float = 0.0

    def __str__(self) -> str:
        asked = self.right + len(self.wrong) + len(self.lost)
        return (
            f"{asked} requests, {len(self.lost)} lost, {len(self.wrong)} wrong, the slowest took {self.slowest_s:.1f} s"
        )


@contextmanager
def asking(
    target: str, questions: Mapping[str, generation_pb2.GenerateRequest], expected: Mapping[str, str]
) -> Iterator[Ledger]:
    """One caller for each question, until the block ends; by then every request that was begun has ended too."""
    ledger, stop, lock = Ledger(), threading.Event(), threading.Lock()

    def ask(name: str, client: Client) -> None:
        while not stop.is_set():
            began = time.monotonic()
            try:
                made = answer(client, questions[name])
            except Exception as error:
                with lock:
                    ledger.lost.append(f"{name}: {error!r}")
            else:
                with lock:
                    if made == expected[name]:
                        ledger.right += 1
                    else:
                        ledger.wrong.append(name)
            with lock:
                ledger.slowest_s = max(ledger.slowest_s, time.monotonic() - began)
            stop.wait(_BETWEEN_S)

    with Client(target) as client:
        callers = [threading.Thread(target=ask, args=(name, client)) for name in questions]
        for caller in callers:
            caller.start()
        try:
            yield ledger
        finally:
            stop.set()
            for caller in callers:
                caller.join()
