"""Callers that never stop asking, and the ledger of what became of their requests."""

import asyncio
import hashlib
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any, ClassVar

import grpc

from bench.faults.questions import Question
from sextant.contract.v1 import generation_pb2, generation_pb2_grpc

DEADLINE_S = 90.0
LATE_S = 10.0  # not lost, but longer than anybody likes to wait
_PAUSE_S = 0.15
_CHANNELS = 4  # of one target: both gateways get some
_MOST_EXAMPLES = 5


class Broken(Exception):
    """An answer came that cannot be: gaps, repetitions, a missing receipt."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered, apart from the time that it took, and how often it moved to another replica."""

    digest: str
    retries: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One request: when it began, how long it took, and what became of it: "right", or one of `Ledger.COUNTS`."""

    question: Question
    seconds: float
    outcome: str
    retries: int = 0
    again: int = 0
    told: str = ""


@dataclass
class Ledger:
    """All requests of a run."""

    COUNTS: ClassVar[tuple[str, ...]] = ("lost", "wrong", "duplicated", "late", "moved", "asked_again")
    entries: list[Entry] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Counts, and times over all requests that were answered rightly."""
        entries = self.entries
        counts: dict[str, Any] = {
            name: sum(e.outcome == name for e in entries) for name in ("lost", "wrong", "duplicated")
        }
        counts["late"] = sum(e.seconds > LATE_S for e in entries)
        counts["moved"] = sum(e.retries > 0 for e in entries)
        counts["asked_again"] = sum(e.again > 0 for e in entries)
        families = dict.fromkeys(entry.question.family for entry in entries)
        return {
            "requests": len(entries),
            **counts,
            **_times(entries),
            "by_family": {name: _times([e for e in entries if e.question.family == name]) for name in families},
        }

    def examples(self) -> list[str]:
        """Some of what went wrong, in words."""
        bad = [entry for entry in self.entries if entry.outcome != "right"]
        return [f"{e.question.key}: {e.outcome}: {e.told}" for e in bad[:_MOST_EXAMPLES]]


def _times(entries: Sequence[Entry]) -> dict[str, float]:
    taken = sorted(entry.seconds for entry in entries if entry.outcome == "right")
    if len(taken) < 2:
        return {"p50_s": float("nan"), "p99_s": float("nan"), "slowest_s": taken[0] if taken else float("nan")}
    cuts = quantiles(taken, n=100, method="inclusive")
    return {"p50_s": cuts[49], "p99_s": cuts[98], "slowest_s": taken[-1]}


async def answers(target: str, asked: Sequence[Question]) -> Mapping[str, str]:
    """Every answer while nothing goes wrong, by the question's key; asked twice. Raises `Broken` where they differ."""
    async with grpc.aio.insecure_channel(target) as channel:
        stub = generation_pb2_grpc.GenerationStub(channel)
        found = {question.key: (await ask(stub, question)).digest for question in asked}
        for question in asked:
            if (await ask(stub, question)).digest != found[question.key]:
                raise Broken(f"{question.key} is another one each time")
    return found


async def ask(stub: Any, question: Question) -> Answer:
    """One request. Raises `grpc.aio.AioRpcError`, and `Broken` for an answer with gaps or repetitions."""
    call = getattr(stub, question.method)(question.message, timeout=DEADLINE_S)
    if isinstance(call, grpc.aio.UnaryUnaryCall):
        response = await call
        made = [item.SerializeToString(deterministic=True) for item in _items(response)]
        return Answer(hashlib.sha256(b"".join(made)).hexdigest(), response.receipt.retries)
    made_of: dict[int, bytes] = {}
    whole: set[int] = set()
    receipt: generation_pb2.Receipt | None = None
    number = 0
    async for event in call:
        if event.sequence != number:
            raise Broken(f"event {event.sequence} came where {number} was due")
        number += 1
        if receipt is not None:
            raise Broken("the receipt was not the last event")
        kind = event.WhichOneof("event")
        if kind == "chunk":  # how an item is cut into chunks is a matter of time
            piece = event.chunk.text.content.encode() or event.chunk.audio.data
            made_of[event.chunk.item] = made_of.get(event.chunk.item, b"") + piece
        elif kind == "result":
            if event.result.item in whole:
                raise Broken(f"item {event.result.item} came twice")
            whole.add(event.result.item)
            said = event.result.SerializeToString(deterministic=True)
            made_of[event.result.item] = made_of.get(event.result.item, b"") + said
        elif kind == "receipt":
            receipt = event.receipt
    if receipt is None:
        raise Broken("the receipt did not come")
    return Answer(hashlib.sha256(b"".join(made_of[item] for item in sorted(made_of))).hexdigest(), receipt.retries)


def _items(response: Any) -> Sequence[Any]:
    return response.latents if hasattr(response, "latents") else response.likelihoods


class Callers:
    """The load: so many callers, each with one request under way and a short pause between two."""

    def __init__(
        self,
        target: str,
        asked: Sequence[Question],
        expected: Mapping[str, str],
        seed: int,
        callers: int,
        *,
        asks_again: bool,
    ) -> None:
        self._target, self._asked, self._expected = target, asked, expected
        self._seed, self._callers, self._asks_again = seed, callers, asks_again

    async def run(self, seconds: float) -> Ledger:
        """Ask for so long; requests that were begun by then are waited for."""
        ledger, end = Ledger(), time.monotonic() + seconds
        own = [("grpc.use_local_subchannel_pool", 1)]
        channels = [grpc.aio.insecure_channel(self._target, own) for _ in range(_CHANNELS)]
        try:
            callers = (
                self._caller(number, channels[number % _CHANNELS], end, ledger) for number in range(self._callers)
            )
            await asyncio.gather(*callers)
        finally:
            for channel in channels:
                await channel.close()
        return ledger

    async def _caller(self, number: int, channel: grpc.aio.Channel, end: float, ledger: Ledger) -> None:
        drawn = random.Random(self._seed * 1000 + number)
        stub = generation_pb2_grpc.GenerationStub(channel)
        while time.monotonic() < end:
            ledger.entries.append(await self._one(stub, drawn.choice(self._asked)))
            await asyncio.sleep(_PAUSE_S * drawn.uniform(0.5, 1.5))

    async def _one(self, stub: Any, question: Question) -> Entry:
        began, again = time.monotonic(), 0
        while True:
            try:
                answer = await ask(stub, question)
            except Broken as error:
                return Entry(question, time.monotonic() - began, "duplicated", again=again, told=str(error))
            except grpc.aio.AioRpcError as error:
                # A gateway that dies takes its connections along; the answer is the same whoever is asked again.
                left = began + DEADLINE_S - time.monotonic()
                if self._asks_again and error.code() is grpc.StatusCode.UNAVAILABLE and left > 0:
                    again += 1
                    await asyncio.sleep(0.2)
                    continue
                told = f"{error.code().name}: {error.details()}"
                return Entry(question, time.monotonic() - began, "lost", again=again, told=told)
            right = answer.digest == self._expected[question.key]
            outcome = "right" if right else "wrong"
            return Entry(question, time.monotonic() - began, outcome, answer.retries, again)
