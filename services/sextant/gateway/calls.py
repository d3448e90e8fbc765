"""What every call goes through: its id, its time, its figures, and how it ends when it does not end well."""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from sextant.contract import wire
from sextant.contract.errors import Draining, MalformedMessage, MessageTooLarge, SextantError
from sextant.contract.tasks import TaskKind
from sextant.gateway import metrics, request_ids
from sextant.gateway.access.admission import CALLER, Caller
from sextant.gateway.dispatch import StreamStats
from sextant.gateway.status import abort, code_of, to_status
from sextant.replicas import tracing
from sextant.replicas.tracing import Span

M = TypeVar("M", bound=Message)
T = TypeVar("T")
# grpc.aio.ServicerContext; grpcio ships no types.
Context = Any

log = logging.getLogger(__name__)

# A caller's deadline ends a call a little before ours does, and what it then sends looks like a cancel: gRPC
# rounds timeouts up on the wire, by up to one part in a hundred.
_DEADLINE_SLACK = 0.01
_DEADLINE_SLACK_S = 0.01


@dataclass(frozen=True, slots=True)
class Refused:
    """What stands in for a message whose bytes were refused, until the call is there to say so."""

    error: SextantError


@dataclass(slots=True)
class Call:
    """One call under way. Family and model are known once a decision is made."""

    task: TaskKind
    request_id: str
    arrived_s: float = field(default_factory=time.monotonic)
    family: str = "unknown"
    model: str = "unknown"
    first_event_s: float | None = None
    stats: StreamStats = field(default_factory=StreamStats)
    caller: Caller | None = None
    span: Span = field(default_factory=Span)

    def elapsed_s(self) -> float:
        """Seconds since the call arrived."""
        return time.monotonic() - self.arrived_s

    def note_first_event(self) -> None:
        """The first chunk or result went out."""
        if self.first_event_s is None:
            self.first_event_s = self.elapsed_s()

    def note_steps(self, steps: int) -> None:
        """An item that took `steps` network steps is whole."""
        if self.caller is not None:
            self.caller.allowance.charge(steps)


class Calls:
    """The calls of one gateway."""

    def __init__(self, max_message_bytes: int) -> None:
        self._max_message_bytes = max_message_bytes
        self.draining = False
        self.open = 0
        self.none_open = asyncio.Event()
        self.none_open.set()

    def deserializer(self, message_type: type[M], method: str) -> Callable[[bytes], M | Refused]:
        """Parses the bytes of a request, and keeps what is wrong with them for `answer` to say."""
        received = metrics.RECEIVED_BYTES.labels(method)

        def parse(data: bytes) -> M | Refused:
            received.inc(len(data))
            if len(data) > self._max_message_bytes:
                return Refused(MessageTooLarge(f"{len(data)} bytes; at most {self._max_message_bytes} are taken"))
            try:
                return wire.parse(message_type, data)
            except MalformedMessage as error:
                return Refused(error)

        return parse

    def serializer(self, message_type: type[M], method: str) -> Callable[[M], bytes]:
        """Answers as bytes, counted."""
        sent = metrics.SENT_BYTES.labels(method)

        def serialize(message: M) -> bytes:
            data = message_type.SerializeToString(message)
            sent.inc(len(data))
            return data

        return serialize

    async def answer(
        self,
        task: TaskKind,
        message: Any,
        context: Context,
        work: Callable[[Call], Awaitable[T]],
    ) -> T:
        """Run `work` as one call: counted, timed, its errors told to the caller."""
        call = Call(task, _request_id(message, context), caller=CALLER.get())
        call.span = _span(call, context)
        # Read once: it is on the wall clock, which may be set while the call runs; `elapsed_s` is not.
        budget_s = context.time_remaining()
        metrics.IN_FLIGHT.labels(task).inc()
        self.open += 1
        self.none_open.clear()
        code = grpc.StatusCode.OK
        try:
            await context.send_initial_metadata(((request_ids.TOLD_AS, call.request_id),))
            if isinstance(message, Refused):
                raise message.error
            if self.draining:
                raise Draining("this gateway is stopping")
            wire.check(message)
            return await work(call)
        except (asyncio.CancelledError, grpc.aio.InternalError) as gone:
            # The second is gRPC's word on sending to a caller who is no longer there: that is nobody's fault.
            expired = budget_s is not None and call.elapsed_s() >= budget_s * (1 - _DEADLINE_SLACK) - _DEADLINE_SLACK_S
            code = grpc.StatusCode.DEADLINE_EXCEEDED if expired else grpc.StatusCode.CANCELLED
            raise asyncio.CancelledError from gone
        except Exception as error:
            status = to_status(error, call.request_id)
            code = code_of(status)
            await abort(context, status)
        finally:
            self.open -= 1
            if not self.open:
                self.none_open.set()
            metrics.IN_FLIGHT.labels(task).dec()
            _observe(call, code)

    async def look_up(self, message: Any, context: Context, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work`, which makes nothing for the caller: with an id and typed errors, but not counted."""
        request_id = request_ids.request_id_of(context.invocation_metadata())
        try:
            await context.send_initial_metadata(((request_ids.TOLD_AS, request_id),))
            if isinstance(message, Refused):
                raise message.error
            if self.draining:
                raise Draining("this gateway is stopping")
            wire.check(message)
            return await work()
        except grpc.aio.InternalError as gone:
            raise asyncio.CancelledError from gone
        except Exception as error:
            await abort(context, to_status(error, request_id))


def draw_seed() -> int:
    """A seed for a request that brings none."""
    return secrets.randbits(64)


def _request_id(message: Any, context: Context) -> str:
    asked = "" if isinstance(message, Refused) else message.options.request_id
    return request_ids.request_id_of(context.invocation_metadata(), asked)


def _span(call: Call, context: Context) -> Span:
    """The call's span, below the caller's own where it names one."""
    given = {name: value for name, value in context.invocation_metadata() or () if isinstance(value, str)}
    parent, state = given.get("traceparent", ""), given.get("tracestate", "")
    return tracing.begin(str(call.task), parent, state=state, serves=True, request_id=call.request_id)


def _fields(call: Call, code: grpc.StatusCode) -> dict[str, object]:
    """What a log for machines holds of a request. Nothing of what was asked or answered."""
    waited_s = None if call.stats.started_s is None else max(0.0, call.stats.started_s - call.arrived_s)
    return {
        "request_id": call.request_id,
        "task": str(call.task),
        "family": call.family,
        "model": call.model,
        "code": code.name,
        "total_s": round(call.elapsed_s(), 6),
        "queue_s": None if waited_s is None else round(waited_s, 6),
        "first_event_s": None if call.first_event_s is None else round(call.first_event_s, 6),
        "retries": call.stats.retries,
        "key": None if call.caller is None else call.caller.name,
        "trace_id": call.span.trace_id,
    }


def _observe(call: Call, code: grpc.StatusCode) -> None:
    told = call.request_id, call.task, call.model, code.name, call.elapsed_s()
    log.info("request %s: %s by %s, %s in %.3f s", *told, extra={"fields": _fields(call, code)})
    ended_well = code in (grpc.StatusCode.OK, grpc.StatusCode.CANCELLED)
    call.span.note(family=call.family, model=call.model, retries=call.stats.retries, code=code.name)
    call.span.end("" if ended_well else code.name)
    place = (call.task, call.family, call.model)
    metrics.REQUESTS.labels(*place, code.name).inc()
    metrics.REQUEST_SECONDS.labels(*place).observe(call.elapsed_s())
    if call.stats.started_s is not None:
        metrics.QUEUE_SECONDS.labels(*place).observe(max(0.0, call.stats.started_s - call.arrived_s))
    if call.first_event_s is not None:
        metrics.FIRST_EVENT_SECONDS.labels(*place).observe(call.first_event_s)
    if call.stats.retries:
        metrics.RETRIES.labels(call.model).inc(call.stats.retries)
