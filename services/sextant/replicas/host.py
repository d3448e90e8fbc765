"""A process's models: loaded, warmed up, each with its scheduler. What a replica is, without Ray."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnxruntime as ort

from sextant.bundles.manifest import HYBRID, Manifest
from sextant.bundles.store import BundleStore
from sextant.contract.errors import BundleRefused, ModelNotFound, SextantError
from sextant.contract.tasks import Request
from sextant.families.family import FAMILIES, Family, family_at
from sextant.hybrids.graph import read_graphs
from sextant.hybrids.hybrid import build_hybrid, models_of
from sextant.replicas.co_located import HybridRunner, HybridStream
from sextant.replicas.config import FamilyConfig
from sextant.replicas.metrics import observe_model
from sextant.replicas.served import Offer, ServedModel, hybrid_of
from sextant.replicas.tracing import TracedStream, begin_run
from sextant.runtime.processor import processor_name
from sextant.runtime.runner import EventStream, SchedulerRunner
from sextant.runtime.scheduler import StepScheduler
from sextant.runtime.session import provider_names

log = logging.getLogger(__name__)

Runner = SchedulerRunner | HybridRunner


class ModelHost:
    """Hosts several bundles of one family in this process; of hybrids their stages' models as well."""

    def __init__(self, offer: Offer, runners: Mapping[str, Runner]) -> None:
        self.offer = offer
        self._runners = runners

    @classmethod
    async def load(cls, implementation: str, config: FamilyConfig, store: BundleStore) -> "ModelHost":
        """Load, verify and warm up the models of `config`; returns when they are ready to answer.

        A bundle that must not be served is left out, with its reason in the offer; the others are served. Raises
        `BundleRefused` where none is left, and `ModelNotFound` or `ProviderUnavailable`.
        """
        loading = _Loading(config, store)
        models: dict[str, ServedModel] = {}
        runners: dict[str, Runner] = {}
        refused: dict[str, BundleRefused] = {}
        for name in config.models:
            try:
                if implementation == HYBRID:
                    runners[name], models[name] = await loading.hybrid(name)
                else:
                    runners[name], models[name] = await loading.model(name, family_at(implementation))
            except BundleRefused as refusal:
                log.error("%s", refusal)
                refused[name] = refusal
        if refused and not models:
            raise next(iter(refused.values()))
        runners = {**loading.stages, **runners}
        return cls(Offer(models, {name: refusal.reason for name, refusal in refused.items()}), runners)

    def submit(self, request: Request) -> EventStream | HybridStream | TracedStream:
        """Start a request. Raises `ModelNotFound`, `Overloaded` or `Draining` at once."""
        runner = self._runners.get(request.model)
        if runner is None:
            raise ModelNotFound(request.model, tuple(self._runners))
        span = begin_run(request)
        if span.span is None:
            return runner.submit(request)
        try:
            return TracedStream(runner.submit(replace(request, trace=span.traceparent)), span)
        except SextantError as error:
            span.end(type(error).__name__)
            raise

    def check(self) -> None:
        """Raises `SextantError` where a scheduler has stopped, so that the replica gets replaced."""
        dead = [name for name, runner in self._runners.items() if not runner.alive]
        if dead:
            raise SextantError(f"the scheduler of {', '.join(dead)} stopped")

    async def drain(self, timeout_s: float = 10.0) -> None:
        """Finish what runs, for up to `timeout_s`, then stop."""
        await asyncio.gather(*(runner.drain(timeout_s) for runner in self._runners.values()))


class _Loading:
    """Models as they become ready; `stages` are those of hybrids, each loaded once however many share it."""

    def __init__(self, config: FamilyConfig, store: BundleStore) -> None:
        self._config, self._store, self._session_config = config, store, config.session_config()
        self.stages: dict[str, SchedulerRunner] = {}
        self._served: dict[str, ServedModel] = {}

    async def model(self, name: str, family: Family) -> tuple[SchedulerRunner, ServedModel]:
        """A model, warm. Raises `BundleRefused`."""
        bundle = await asyncio.to_thread(self._store.open, name)
        sampler = await asyncio.to_thread(family.load, bundle, self._session_config)
        scheduler = StepScheduler(
            sampler,
            max_queue=self._config.max_queue,
            max_unsent=self._config.max_unsent_events,
            observer=observe_model(name, queue_limit=self._config.max_queue, slots=sampler.limits.slots),
        )
        runner = SchedulerRunner(scheduler, name, pace_s=self._config.stream_pace_ms / 1000)
        for number, task in enumerate(family.warm_up(bundle)):
            await _exhaust(runner.submit(Request(f"warm-up-{number}", name, (task,))))
        log.info("%s %s is warm", name, bundle.manifest.version)
        providers = provider_names(self._session_config)
        return runner, ServedModel(
            bundle.manifest,
            bundle.digest,
            bundle.size_bytes,
            providers,
            ort.__version__,
            numpy_version=np.__version__,
            processor=processor_name(),
        )

    async def hybrid(self, name: str) -> tuple[HybridRunner, ServedModel]:
        """A hybrid, with all of its stages warm in this process. Raises `BundleRefused`."""
        bundle = await asyncio.to_thread(self._store.open, name)
        wanted = models_of(read_graphs(bundle.manifest).values())
        # Fitted before anything is loaded: what does not fit must not cost a start.
        hybrid = build_hybrid(bundle.manifest, {model: self._manifest(model) for model in wanted if self._has(model)})
        for model in wanted:
            if model not in self.stages:
                family = family_at(FAMILIES[self._manifest(model).family])
                self.stages[model], self._served[model] = await self.model(model, family)
        runner = HybridRunner(hybrid, self.stages, self._config.max_unsent_events)
        log.info("%s %s is warm", name, bundle.manifest.version)
        return runner, hybrid_of(hybrid, bundle.digest, self._served)

    def _has(self, model: str) -> bool:
        return model in self._store.names() and self._manifest(model).family in FAMILIES

    def _manifest(self, model: str) -> Manifest:
        return self._store.manifest(model)


async def _exhaust(stream: EventStream) -> None:
    seen = 0
    async for events in stream:
        seen += len(events)
        stream.acknowledge(seen)
