"""Plain words into requests: embedded by the served sentence encoder, compared with the guide's examples."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from sextant.contract.errors import DeadlineExceeded, InvalidRequest, SextantError
from sextant.contract.events import Result
from sextant.contract.media import Latent, Modality, Text
from sextant.contract.options import PRIORITY_TO_WIRE
from sextant.contract.tasks import Request, Task, TaskKind
from sextant.contract.v1 import generation_pb2, guide_pb2
from sextant.contract.wire_enums import MODALITY_TO_WIRE, TASK_KIND_TO_WIRE
from sextant.gateway import metrics
from sextant.gateway.dispatch import Dispatcher, StreamStats
from sextant.gateway.guide.intent import Examples, class_named, examples, meaning, phrases
from sextant.gateway.guide.schema import Guide, Row
from sextant.replicas.served import ServedModel

R = TypeVar("R", bound=Message)

_AT_ONCE = 32  # examples in a request, well within any queue
_EXAMPLES_S = 60.0


@dataclass(frozen=True, slots=True)
class Understood:
    """The row that words mean, how sure that is, and the class that they name, "" for none."""

    row: Row
    confidence: float
    class_label: str

    def message(self) -> guide_pb2.Understood:
        """The same on the wire."""
        row = self.row
        return guide_pb2.Understood(
            row=row.name,
            line=row.line,
            confidence=self.confidence,
            task=TASK_KIND_TO_WIRE[row.task],
            input=MODALITY_TO_WIRE[row.input] if row.input else None,
            output=MODALITY_TO_WIRE[row.output] if row.output else None,
            priority=PRIORITY_TO_WIRE[row.priority] if row.priority else None,
            class_label=self.class_label,
        )


class Intents:
    """Understands plain words. The guide's examples are embedded once for each guide, when they are first needed."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._known: tuple[Guide, str, Examples] | None = None
        self._embedding = asyncio.Lock()

    async def understood(self, words: str, guide: Guide, field: str, budget_s: float | None) -> Understood:
        """What `words` mean. Raises `InvalidRequest` of `field` where that is not clear, with the likeliest rows."""
        models = self._dispatcher.models()
        encoder = models.get(guide.intent.encoder)
        if encoder is None or not phrases(guide):
            lacking = f"the model {guide.intent.encoder!r} to be served, and examples in the guide"
            raise InvalidRequest(field, f"cannot be read here: it takes {lacking}")
        known = await self._examples(guide, encoder, budget_s)
        (embedded,) = await self._embed([words], guide.intent.encoder, budget_s)
        found = meaning(known, embedded, guide.intent)
        metrics.INTENTS.labels("refused" if found.row is None else found.row.name).inc()
        if found.row is None:
            likeliest = " or ".join(f"{row.name} ({share:.0%})" for row, share in found.guesses if share >= 0.01)
            hint = f"; the nearest rows of the guide: {likeliest}" if likeliest else ""
            raise InvalidRequest(field, f"is not clear enough to act on{hint}. Say task, output or priority outright")
        return Understood(found.row, found.confidence, class_named(words, _labels(found.row, models)))

    async def _examples(self, guide: Guide, encoder: ServedModel, budget_s: float | None) -> Examples:
        if (known := self._of(guide, encoder)) is not None:
            return known
        try:
            async with asyncio.timeout(budget_s), self._embedding:
                if (known := self._of(guide, encoder)) is not None:
                    return known
                said = [phrase for phrase, _ in phrases(guide)]
                parts = [
                    await self._embed(said[at : at + _AT_ONCE], guide.intent.encoder, _EXAMPLES_S)
                    for at in range(0, len(said), _AT_ONCE)
                ]
                known = examples(guide, np.concatenate(parts))
                self._known = guide, encoder.digest, known
                return known
        except TimeoutError as error:
            raise DeadlineExceeded("the guide's examples were not read within the deadline") from error

    def _of(self, guide: Guide, encoder: ServedModel) -> Examples | None:
        known = self._known
        return known[2] if known is not None and known[0] is guide and known[1] == encoder.digest else None

    async def _embed(self, texts: Sequence[str], encoder: str, budget_s: float | None) -> NDArray[np.float32]:
        """float32[n, d]"""
        tasks = tuple(Task(TaskKind.ENCODE, 0, index, source=Text(text)) for index, text in enumerate(texts))
        request = Request(f"intent-{time.monotonic_ns()}", encoder, tasks, budget_s)
        found: dict[int, NDArray[np.float32]] = {}
        async with aclosing(self._dispatcher.stream(request, StreamStats())) as batches:
            async for batch in batches:
                for event in batch:
                    if isinstance(event.body, Result) and isinstance(event.body.content, Latent):
                        found[event.body.item] = event.body.content.mean
        if len(found) != len(texts):
            raise SextantError(f"{len(found)} of {len(texts)} texts came back embedded")
        return np.stack([found[index] for index in range(len(texts))]).astype(np.float32)


def is_explicit(message: Any) -> bool:
    """Whether the request itself says what it wants, so that its words are not read."""
    options = message.options
    return bool(options.model or options.priority or options.guarantees.ByteSize() or getattr(message, "output", None))


def spelled_out(message: R, task: TaskKind, said: Understood) -> R:
    """The request as it would read had its words been fields. Raises `InvalidRequest` where they mean another task."""
    row = said.row
    if row.task is not task:
        sure = f"row {row.name!r}, {said.confidence:.0%} sure"
        raise InvalidRequest("options.intent", f"means to {row.task} ({sure}), and this method is to {task}")
    whole = type(message)()
    whole.CopyFrom(message)
    asked: Any = whole
    if row.priority is not None:
        asked.options.priority = PRIORITY_TO_WIRE[row.priority]
    if said.class_label and not asked.conditions.class_label:
        asked.conditions.class_label = said.class_label
    if isinstance(asked, generation_pb2.GenerateRequest):
        if row.output is not None:
            asked.output = MODALITY_TO_WIRE[row.output]
        if row.output is Modality.TEXT and not asked.HasField("prompt") and not asked.HasField("chat"):
            asked.prompt = asked.options.intent
    return whole


def _labels(row: Row, models: Mapping[str, ServedModel]) -> list[str]:
    """The classes that models know which the row may choose."""
    manifests = [served.manifest for _, served in sorted(models.items())]
    known = (
        str(label)
        for manifest in manifests
        if manifest.family in row.families
        and row.task in manifest.tasks
        and (row.output is None or row.output in manifest.outputs)
        for label in manifest.network.get("classes", ())
    )
    return list(dict.fromkeys(known))
