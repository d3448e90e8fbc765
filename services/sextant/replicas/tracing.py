"""Traces for OpenTelemetry, from the caller's own span to the steps of a replica. Off until `start_tracing` is called.

Spans name their parents outright, by W3C traceparents ("00-TRACE-SPAN-01"): they cross tasks, threads and processes,
where there is no current one. A caller's traceparent is kept to, its sampling included.
"""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from sextant.contract.events import Event, Progress, Result
from sextant.contract.tasks import Request

Attributes = Mapping[str, str | int | float | bool]

_CONTEXT = TraceContextTextMapPropagator()
_provider: Any = None
_tracer: trace.Tracer | None = None


def start_tracing(service: str, endpoint: str, ratio: float = 1.0) -> None:
    """Send spans to the OTLP collector at `endpoint` (gRPC), of `ratio` of those traces that begin here."""
    # Only now: who traces nothing does not load what does it.
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    import sextant

    global _provider, _tracer
    exporter = OTLPSpanExporter(
        endpoint=endpoint,
        insecure=endpoint.startswith("http://"),
        channel_options=(("grpc.enable_http_proxy", 0),),
    )
    resource = Resource.create({"service.name": service, "service.version": sextant.__version__})
    _provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(ratio)))
    _provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = _provider.get_tracer("sextant")


def stop_tracing() -> None:
    """Send what is not sent yet, for a few seconds at most."""
    global _provider, _tracer
    if _provider is not None:
        _provider.shutdown()
    _provider = _tracer = None


@dataclass(frozen=True, slots=True)
class Span:
    """A span under way; one that is nothing where nothing is traced."""

    span: trace.Span | None = None

    @property
    def traceparent(self) -> str:
        """What children name as their parent; "" where nothing is traced."""
        carrier: dict[str, str] = {}
        if self.span is not None:
            _CONTEXT.inject(carrier, trace.set_span_in_context(self.span))
        return carrier.get("traceparent", "")

    @property
    def trace_id(self) -> str | None:
        """The trace's id, as logs have it."""
        return None if self.span is None else trace.format_trace_id(self.span.get_span_context().trace_id)

    def note(self, **attributes: str | int | float | bool) -> None:
        """Add attributes, under the names of this project."""
        if self.span is not None:
            self.span.set_attributes(_named(attributes))

    def tell(self, event: str, **attributes: str | int | float | bool) -> None:
        """Add an event at this moment."""
        if self.span is not None:
            self.span.add_event(event, _named(attributes))

    def end(self, error: str = "", at_ns: int | None = None) -> None:
        """It is over, well or by `error`; the first time that this is said counts."""
        if self.span is not None and self.span.is_recording():
            if error:
                self.span.set_status(trace.Status(trace.StatusCode.ERROR, error))
            self.span.end(at_ns)


def begin(
    name: str, parent: str = "", *, state: str = "", serves: bool = False, at_ns: int | None = None, **attributes: Any
) -> Span:
    """A span below `parent`, or the first of a trace. `state` is a tracestate that came with the traceparent."""
    if _tracer is None:
        return Span()
    context = _CONTEXT.extract(
        {"traceparent": parent, "tracestate": state}, trace.set_span_in_context(trace.INVALID_SPAN)
    )
    kind = trace.SpanKind.SERVER if serves else trace.SpanKind.INTERNAL
    return Span(_tracer.start_span(name, context, kind=kind, attributes=_named(attributes), start_time=at_ns))


class Stream(Protocol):
    """The events of a request as a runner gives them."""

    def __anext__(self) -> Any:
        """The next batch."""

    def acknowledge(self, events: int) -> None:
        """So many have gone out."""

    def close(self) -> None:
        """Nobody wants the rest."""


class TracedStream(AsyncIterator[Sequence[Event]]):
    """A model's work on a request, as a span of its own: below it, for each item, how long it waited and its steps."""

    def __init__(self, stream: Stream, span: Span) -> None:
        self._stream, self._span = stream, span
        self._begun_ns = time.time_ns()
        self._parent = span.traceparent

    async def __anext__(self) -> Sequence[Event]:
        """The next batch. Raises the request's error, if it has one."""
        try:
            batch: Sequence[Event] = await self._stream.__anext__()
        except StopAsyncIteration:
            self._span.end()
            raise
        except BaseException as error:
            self._span.end(type(error).__name__)
            raise
        steps: dict[int, int] = {}
        for event in batch:
            if isinstance(event.body, Progress):
                steps[event.body.item] = event.body.step
            elif isinstance(event.body, Result):
                self._tell(event.body)
        for item, step in steps.items():
            self._span.tell("steps", item=item, step=step)
        return batch

    def acknowledge(self, events: int) -> None:
        """See `runtime.runner.EventStream`."""
        self._stream.acknowledge(events)

    def close(self) -> None:
        """See `runtime.runner.EventStream`."""
        self._stream.close()
        self._span.end()

    def _tell(self, result: Result) -> None:
        usage, now_ns = result.usage, time.time_ns()
        started_ns = min(now_ns, self._begun_ns + int(usage.queue_s * 1e9))
        begin("queue", self._parent, at_ns=self._begun_ns, item=result.item).end(at_ns=started_ns)
        steps = begin("steps", self._parent, at_ns=started_ns, item=result.item, steps=usage.steps)
        if usage.generated_tokens:
            steps.note(prompt_tokens=usage.prompt_tokens, generated_tokens=usage.generated_tokens)
        steps.end(at_ns=now_ns)


def begin_run(request: Request) -> Span:
    """The span of a model's work on `request`; none where the request is not traced."""
    if not request.trace:
        return Span()
    return begin(
        f"run {request.model}",
        request.trace,
        request_id=request.request_id,
        model=request.model,
        task=str(request.tasks[0].kind),
        items=len(request.tasks),
    )


def _named(attributes: Attributes) -> dict[str, str | int | float | bool]:
    return {name if "." in name else f"sextant.{name}": value for name, value in attributes.items()}
