"""Hybrids whose stages are deployments of their own: run here, each stage through the dispatcher of plain requests."""

from collections.abc import AsyncGenerator, Mapping, Sequence, Set
from contextlib import aclosing
from dataclasses import replace

from sextant.contract.errors import BundleRefused
from sextant.contract.events import Event
from sextant.contract.tasks import Request
from sextant.gateway.dispatch import Dispatcher, StreamStats
from sextant.hybrids.execution import Execution
from sextant.hybrids.hybrid import Hybrid
from sextant.hybrids.offer import HybridBundles, Waiting
from sextant.replicas import tracing
from sextant.replicas.served import ServedModel, hybrid_of
from sextant.replicas.tracing import Span


class HybridDispatcher:
    """A dispatcher of plain requests and, over it, of those to `hybrids`; see `Dispatcher`."""

    def __init__(self, stages: Dispatcher, hybrids: HybridBundles) -> None:
        self._stages, self._hybrids = stages, hybrids
        self._served: dict[str, tuple[Hybrid, ServedModel]] = {}

    def models(self) -> Mapping[str, ServedModel]:
        """The models of the stages' dispatcher, and the hybrids all of whose stages are among them."""
        served = self._stages.models()
        hybrids = {name: self._described(fitted, served) for name, fitted in self._fitted(served).items()}
        return {**served, **hybrids}

    def away(self) -> Set[str]:
        """Those of the stages' dispatcher, and the hybrids one of whose stages is among them."""
        away = self._stages.away()
        if not away:
            return away
        fitted = self._fitted(self._stages.models())
        return away | {name for name, hybrid in fitted.items() if not away.isdisjoint(hybrid.models)}

    def refused(self) -> Mapping[str, str]:
        """What the stages' dispatcher refuses, and the hybrids that do not fit what is served."""
        served, refused = self._stages.models(), dict(self._stages.refused())
        found = dict(self._hybrids.refused)
        manifests = {name: model.manifest for name, model in served.items()}
        for name in self._hybrids.bundles:
            fitted = self._hybrids.fit(name, manifests)
            if isinstance(fitted, BundleRefused):
                found[name] = fitted.reason
            elif isinstance(fitted, Waiting) and self._stages.ready():
                missing = fitted.missing[0]
                found[name] = f"its stages need {missing}, which is {refused.get(missing, 'not served')}"
        return {**refused, **found}

    def ready(self) -> bool:
        """Whether every configured model is warm: a hybrid has nothing to warm but its stages."""
        return self._stages.ready()

    async def stream(self, request: Request, stats: StreamStats) -> AsyncGenerator[Sequence[Event], None]:
        """See `Dispatcher.stream`."""
        hybrid = None
        if request.model in self._hybrids.bundles:
            hybrid = self._fitted(self._stages.models()).get(request.model)
        if hybrid is None:
            async with aclosing(self._stages.stream(request, stats)) as batches:
                async for batch in batches:
                    yield batch
            return
        execution = Execution(hybrid, request, lambda stage: self._stage(stage, stats))
        try:
            async for batch in execution:
                yield batch
        finally:
            await execution.closed()

    async def _stage(self, request: Request, stats: StreamStats) -> AsyncGenerator[Sequence[Event], None]:
        """One stage's request; what is learnt of it goes into the figures of the whole."""
        own = StreamStats()
        span = Span()
        if request.trace:
            stage = request.request_id.rpartition("/")[2]
            span = tracing.begin(f"stage {stage}", request.trace, model=request.model)
            request = replace(request, trace=span.traceparent)
        try:
            async with aclosing(self._stages.stream(request, own)) as batches:
                async for batch in batches:
                    yield batch
        finally:
            span.end()
            stats.retries += own.retries
            stats.answered |= own.answered
            if own.started_s is not None and (stats.started_s is None or own.started_s < stats.started_s):
                stats.started_s = own.started_s

    def _fitted(self, served: Mapping[str, ServedModel]) -> dict[str, Hybrid]:
        manifests = {name: model.manifest for name, model in served.items()}
        fitted = {name: self._hybrids.fit(name, manifests) for name in self._hybrids.bundles}
        return {name: hybrid for name, hybrid in fitted.items() if isinstance(hybrid, Hybrid)}

    def _described(self, hybrid: Hybrid, served: Mapping[str, ServedModel]) -> ServedModel:
        """What is told of a hybrid: its own manifest, and how its stages run."""
        name = hybrid.manifest.name
        known = self._served.get(name)
        if known is None or known[0] is not hybrid:
            bundle = self._hybrids.bundles[name]
            known = self._served[name] = hybrid, hybrid_of(hybrid, bundle.digest, served)
        return known[1]
