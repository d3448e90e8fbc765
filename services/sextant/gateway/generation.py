"""The Generation service: understand, decide, dispatch, answer."""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import sextant
from sextant.bundles.manifest import HYBRID
from sextant.contract import to_wire
from sextant.contract.errors import (
    BundleRefused,
    InvalidRequest,
    NoRoute,
    Overloaded,
    SextantError,
    UnsupportedTask,
)
from sextant.contract.events import Chunk, Event, Likelihood, Result
from sextant.contract.from_wire import parameters_family
from sextant.contract.media import Audio, Image, Latent
from sextant.contract.options import options_of
from sextant.contract.tasks import Request, Task, TaskKind
from sextant.contract.v1 import generation_pb2, guide_pb2, media_pb2
from sextant.contract.wire_enums import FINISH_REASON_TO_WIRE
from sextant.gateway import metrics, plans
from sextant.gateway.calls import Call, Calls, Context, draw_seed
from sextant.gateway.desk import Desk, Work, in_its_tier, lots_of, note_decision
from sextant.gateway.dispatch import Dispatcher
from sextant.gateway.explain import decision_message, family_message, tier_message
from sextant.gateway.guide.decision import Decision, Wanted
from sextant.gateway.intents import Understood, is_explicit, spelled_out
from sextant.gateway.interpolation import check_path, frames
from sextant.gateway.plans import Plan, Planner
from sextant.replicas import tracing
from sextant.replicas.served import ServedModel, ServedStage

W = TypeVar("W", media_pb2.Media, generation_pb2.Likelihood)

_MEDIA_FIELDS = ("source", "items", "latents", "start", "end", "conditions")
_WAY_BACK, _WAY_BACK_S = 0.1, 0.25  # of a caller's time, and in seconds at most
_SMALL_PICTURE = 4096  # numbers: 64 x 64 in grey


@dataclass(slots=True)
class _Answer:
    """A request on its way: what was decided, and the receipt as it fills."""

    call: Call
    plan: Plan
    seed: int
    served: ServedModel
    work: Work
    understood: Understood | None
    explained: guide_pb2.Decision | None = None
    items: dict[int, generation_pb2.ItemReceipt] = field(default_factory=dict)
    stage_steps: dict[str, int] = field(default_factory=dict)

    @property
    def decision(self) -> guide_pb2.Decision:
        """The decision in words, worked out once the request is on its way, which does not wait for it."""
        if self.explained is None:
            self.explained = decision_message(self.work.decision)
            if self.understood is not None:
                self.explained.understood.CopyFrom(self.understood.message())
        return self.explained

    def accepted(self) -> generation_pb2.GenerateEvent:
        """The stream's first event."""
        accepted = generation_pb2.Accepted(request_id=self.call.request_id, decision=self.decision, seed=self.seed)
        return generation_pb2.GenerateEvent(sequence=0, accepted=accepted)

    def note(self, result: Result, sha256: bytes) -> None:
        """Enter a whole item into the receipt and the figures."""
        usage = result.usage
        self.items[result.item] = generation_pb2.ItemReceipt(
            sha256=sha256,
            steps=usage.steps,
            prompt_tokens=usage.prompt_tokens,
            generated_tokens=usage.generated_tokens,
            finish_reason=FINISH_REASON_TO_WIRE[result.finish_reason],
        )
        self.call.note_steps(usage.steps)
        for part in usage.stages:
            self.stage_steps[part.stage] = self.stage_steps.get(part.stage, 0) + part.steps
        place = (self.call.task, self.call.family, self.call.model)
        metrics.ITEMS.labels(*place).inc()
        metrics.STEPS.labels(*place).inc(usage.steps)
        metrics.TOKENS.labels(self.call.model, "prompt").inc(usage.prompt_tokens)
        metrics.TOKENS.labels(self.call.model, "generated").inc(usage.generated_tokens)

    def receipt(self) -> generation_pb2.Receipt:
        """The receipt, once all items are whole."""
        call = self.call
        served = call.stats.answered.get(call.model, self.served)
        manifest = served.manifest
        wanted = len(self.plan.tasks) if self.plan.path is None else self.plan.path.frames
        if len(self.items) != wanted:
            raise SextantError(f"{len(self.items)} of {wanted} items came back")
        started = call.stats.started_s
        return generation_pb2.Receipt(
            request_id=call.request_id,
            model=manifest.name,
            family=family_message(manifest.family),
            version=manifest.version,
            bundle_digest=served.digest,
            seed=self.seed,
            provider=served.providers[0] if served.providers else "",
            onnxruntime_version=served.onnxruntime_version,
            sextant_version=sextant.__version__,
            items=[self.items[index] for index in sorted(self.items)],
            queue_s=0.0 if started is None else max(0.0, started - call.arrived_s),
            first_event_s=call.first_event_s or 0.0,
            total_s=call.elapsed_s(),
            retries=call.stats.retries,
            decision=self.decision,
            tier=tier_message(self.work.choice),
            stages=self._stages(),
            numpy_version=self.served.numpy_version,
            processor=self.served.processor,
        )

    def _stages(self) -> list[generation_pb2.StageReceipt]:
        """A hybrid's stages that took part, in the order in which they ran."""
        served = {stage.stage: stage for stage in self.served.stages if stage.task is self.call.task}
        return [self._stage(served[name], steps) for name, steps in self.stage_steps.items()]

    def _stage(self, stage: ServedStage, steps: int) -> generation_pb2.StageReceipt:
        ran = self.call.stats.answered.get(stage.model)
        return generation_pb2.StageReceipt(
            stage=stage.stage,
            model=stage.model,
            family=family_message(stage.family),
            version=stage.version if ran is None else ran.manifest.version,
            bundle_digest=stage.digest if ran is None else ran.digest,
            provider=stage.provider,
            steps=steps,
            onnxruntime_version=stage.onnxruntime_version,
        )


class GenerationServicer:
    """Answers the six tasks through a dispatcher."""

    def __init__(self, dispatcher: Dispatcher, desk: Desk, calls: Calls) -> None:
        self._dispatcher = dispatcher
        self._desk = desk
        self._calls = calls

    async def Generate(self, message: Any, context: Context) -> None:  # noqa: N802 - the contract's name
        """Streams what a model makes."""
        await self._stream(TaskKind.GENERATE, message, context, plans.plan_generate)

    async def Transform(self, message: Any, context: Context) -> None:  # noqa: N802
        """Streams what a model makes of something given."""
        await self._stream(TaskKind.TRANSFORM, message, context, plans.plan_transform)

    async def Interpolate(self, message: Any, context: Context) -> None:  # noqa: N802
        """Streams the frames of a path."""
        await self._stream(TaskKind.INTERPOLATE, message, context, plans.plan_interpolate)

    async def EncodeStream(self, message: Any, context: Context) -> None:  # noqa: N802
        """Streams latents with their progress."""
        await self._stream(TaskKind.ENCODE, message, context, plans.plan_encode)

    async def Encode(self, message: Any, context: Context) -> generation_pb2.EncodeResponse:  # noqa: N802
        """Answers with a latent per item."""

        async def work(call: Call) -> generation_pb2.EncodeResponse:
            answer = await self._decide(call, message, context, plans.plan_encode)
            items = await self._gather(answer, context, _latent)
            return generation_pb2.EncodeResponse(latents=[item.latent for item in items], receipt=answer.receipt())

        return await self._calls.answer(TaskKind.ENCODE, message, context, work)

    async def Decode(self, message: Any, context: Context) -> generation_pb2.DecodeResponse:  # noqa: N802
        """Answers with a medium per latent."""

        async def work(call: Call) -> generation_pb2.DecodeResponse:
            answer = await self._decide(call, message, context, plans.plan_decode)
            encoding = answer.plan.encoding
            items = await self._gather(answer, context, lambda r: to_wire.result_message(r, encoding).media)
            return generation_pb2.DecodeResponse(items=items, receipt=answer.receipt())

        return await self._calls.answer(TaskKind.DECODE, message, context, work)

    async def Score(self, message: Any, context: Context) -> generation_pb2.ScoreResponse:  # noqa: N802
        """Answers with a likelihood per item."""

        async def work(call: Call) -> generation_pb2.ScoreResponse:
            answer = await self._decide(call, message, context, plans.plan_score)
            likelihoods = await self._gather(answer, context, _likelihood)
            return generation_pb2.ScoreResponse(likelihoods=likelihoods, receipt=answer.receipt())

        return await self._calls.answer(TaskKind.SCORE, message, context, work)

    async def _stream(self, task: TaskKind, message: Any, context: Context, planner: Planner) -> None:
        """Accepted, the replica's events, the receipt; numbered without gaps."""

        async def work(call: Call) -> None:
            answer = await self._decide(call, message, context, planner)
            sequence = 0
            async with aclosing(self._batches(answer, context)) as batches:
                async for batch in batches:
                    if sequence == 0:
                        await context.write(answer.accepted())
                        sequence = 1
                    for event, wire_event in zip(batch, await _encoded(batch, sequence, answer.plan), strict=True):
                        if isinstance(event.body, Result):
                            answer.note(event.body, to_wire.content_sha256(wire_event.result.media))
                        await context.write(wire_event)
                        if isinstance(event.body, Chunk | Result):
                            call.note_first_event()
                        sequence += 1
            await context.write(generation_pb2.GenerateEvent(sequence=sequence, receipt=answer.receipt()))

        await self._calls.answer(task, message, context, work)

    async def _decide(self, call: Call, message: Any, context: Context, planner: Planner) -> _Answer:
        """Understand the message and choose the model. Raises what the caller must be told."""
        self._check_room(call, message.options.model, 1)
        message, understood = await self._in_fields(call.task, message, context)
        if any(field_.name in _MEDIA_FIELDS for field_, _ in message.ListFields()):
            # Media are decoded here, which takes time that the other streams need.
            plan, seed = await asyncio.to_thread(plans.understand, message, planner, draw_seed)
        else:
            plan, seed = plans.understand(message, planner, draw_seed)
        named = plan.wanted.model
        # Who names no model need not wait while the hybrids are fitted once more.
        if named and (refused := self._dispatcher.refused().get(named)) is not None:
            raise BundleRefused(named, refused)
        models = self._dispatcher.models()
        wanted = replace(plan.wanted, deadline_s=context.time_remaining(), lots=lots_of(seed))
        span = tracing.begin("decide", call.span.traceparent)
        decision = self._desk.decide(models, wanted)
        choice = decision.choice
        span.note(model=choice.model if choice else "", rule=decision.rule.name if decision.rule else "")
        span.end()
        if choice is None:
            if wanted.model:
                raise UnsupportedTask(wanted.model, decision.explanation)
            self._check_family(message, models, wanted)
            raise NoRoute(_why_not(decision))
        served = models[choice.model]
        call.family, call.model = served.manifest.family, choice.model
        self._check_room(call, choice.model, wanted.count)
        note_decision(decision)
        _check_parameters(message, served)
        if plan.path is not None:
            check_path(plan.path, served.manifest)
        plan = replace(plan, tasks=in_its_tier(plan.tasks, choice))
        work = Work(wanted, decision, choice, time.monotonic(), learns=not wanted.encodes)
        return _Answer(call, plan, seed, served, work, understood)

    def _check_room(self, call: Call, model: str, count: int) -> None:
        """Raises `Overloaded` where the model's queue has just refused as few items."""
        full = self._desk.full(model, count)
        if full is not None:
            call.family, call.model = full.family, model
            raise Overloaded(str(full.error), full.error.retry_after_s)

    async def _in_fields(self, task: TaskKind, message: Any, context: Context) -> tuple[Any, Understood | None]:
        """The request with what its plain words mean put into its fields, where it says nothing else."""
        words = options_of(message).intent
        if not words or is_explicit(message):
            return message, None
        budget_s = context.time_remaining()
        understood = await self._desk.intents.understood(words, self._desk.guide, "options.intent", budget_s)
        return spelled_out(message, task, understood), understood

    def _check_family(self, message: Any, models: Mapping[str, ServedModel], wanted: Wanted) -> None:
        """Where it is the parameters alone that no model fits, it is they that are wrong."""
        if wanted.family is not None and self._desk.decide(models, replace(wanted, family=None)).choice is not None:
            given = message.WhichOneof("parameters")
            raise InvalidRequest(given, f"is for a {wanted.family}, and no served {wanted.family} can do this")

    def _batches(self, answer: _Answer, context: Context) -> AsyncGenerator[Sequence[Event], None]:
        """The replica's events; closing this early cancels what runs there."""
        call, plan = answer.call, answer.plan

        def stream(tasks: tuple[Task, ...]) -> AsyncGenerator[Sequence[Event], None]:
            budget_s = context.time_remaining()
            if plan.partial and budget_s is not None:
                # The estimate still has to be encoded and sent.
                budget_s -= min(_WAY_BACK * budget_s, _WAY_BACK_S)
            trace = call.span.traceparent
            request = Request(call.request_id, call.model, tasks, budget_s, partial=plan.partial, trace=trace)
            return self._dispatcher.stream(request, call.stats)

        batches = stream(plan.tasks) if plan.path is None else frames(plan.path, answer.seed, stream)
        return self._desk.followed(answer.work, call.request_id, plan.tasks, batches)

    async def _gather(self, answer: _Answer, context: Context, encoded: Callable[[Result], W]) -> list[W]:
        """All items as messages, in order; the receipt's digests are of what is sent."""
        items: dict[int, W] = {}
        async with aclosing(self._batches(answer, context)) as batches:
            async for event in (event async for batch in batches for event in batch):
                if isinstance(event.body, Result):
                    slow = _is_slow(event.body.content)
                    item = await asyncio.to_thread(encoded, event.body) if slow else encoded(event.body)
                    items[event.body.item] = item
                    answer.note(event.body, _sha256(item))
                    answer.call.note_first_event()
        return [items[index] for index in sorted(items)]


async def _encoded(batch: Sequence[Event], sequence: int, plan: Plan) -> list[generation_pb2.GenerateEvent]:
    """The events as messages, numbered from `sequence`; what takes long to encode is encoded off the event loop."""

    def encode() -> list[generation_pb2.GenerateEvent]:
        return [to_wire.event_message(event, number, plan.encoding) for number, event in enumerate(batch, sequence)]

    return await asyncio.to_thread(encode) if any(_is_slow(_content(event)) for event in batch) else encode()


def _content(event: Event) -> object:
    return event.body.content if isinstance(event.body, Result) else getattr(event.body, "preview", None)


def _is_slow(content: object) -> bool:
    """Whether encoding this takes so long that it must not happen on the event loop.

    Small pictures take 0.03 to 0.1 ms, less than the way to a thread and back: `bench pictures`.
    """
    if isinstance(content, Image):
        return content.pixels.size > _SMALL_PICTURE
    return isinstance(content, Audio)


def _latent(result: Result) -> media_pb2.Media:
    if not isinstance(result.content, Latent):
        raise SextantError(f"a model encoded to {type(result.content).__name__}, not to a latent")
    return to_wire.media_message(result.content)


def _likelihood(result: Result) -> generation_pb2.Likelihood:
    if not isinstance(result.content, Likelihood):
        raise SextantError(f"a model scored by {type(result.content).__name__}, not by a likelihood")
    return to_wire.likelihood_message(result.content)


def _sha256(item: media_pb2.Media | generation_pb2.Likelihood) -> bytes:
    """The receipt's digest of an item that is answered whole."""
    if isinstance(item, media_pb2.Media):
        return to_wire.content_sha256(item)
    return hashlib.sha256(item.SerializeToString(deterministic=True)).digest()


def _check_parameters(message: Any, served: ServedModel) -> None:
    """Parameters of one family make no sense to another; the fault is named by the field that is set.

    A hybrid takes those of one of its stages too, and says itself where they are of none.
    """
    family = parameters_family(message)
    if served.manifest.family == HYBRID:
        return
    if family is not None and served.manifest.family in _FAMILIES and family != served.manifest.family:
        given = message.WhichOneof("parameters")
        raise InvalidRequest(given, f"is for a {family}, and {served.manifest.name} is a {served.manifest.family}")


_FAMILIES: Mapping[str, None] = dict.fromkeys(
    ("transformer", "gan", "vae", "diffusion", "autoregressive", "flow", "hybrid")
)


def _why_not(decision: Decision) -> str:
    reasons = "; ".join(rejection.explanation for rejection in decision.rejections)
    return f"{decision.explanation} {reasons}".strip()
