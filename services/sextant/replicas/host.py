"""A process's models: loaded, warmed up, each with its scheduler. What a replica is, without Ray."""

import asyncio
import logging
from collections.abc import Mapping

import onnxruntime as ort

from sextant.bundles.store import BundleStore
from sextant.contract.errors import BundleRefused, ModelNotFound, SextantError
from sextant.contract.tasks import Request
from sextant.families.family import family_at
from sextant.replicas.config import FamilyConfig
from sextant.replicas.metrics import observe_model
from sextant.replicas.served import Offer, ServedModel
from sextant.runtime.runner import EventStream, SchedulerRunner
from sextant.runtime.scheduler import StepScheduler
from sextant.runtime.session import provider_names

log = logging.getLogger(__name__)


class ModelHost:
    """Hosts several bundles of one family in this process."""

    def __init__(self, offer: Offer, runners: Mapping[str, SchedulerRunner]) -> None:
        self.offer = offer
        self._runners = runners

    @classmethod
    async def load(cls, implementation: str, config: FamilyConfig, store: BundleStore) -> "ModelHost":
        """Load, verify and warm up the models of `config`; returns when they are ready to answer.

        A bundle that must not be served is left out, with its reason in the offer; the others are served. Raises
        `BundleRefused` where none is left, and `ModelNotFound` or `ProviderUnavailable`.
        """
        family = family_at(implementation)
        session_config = config.session_config()
        models: dict[str, ServedModel] = {}
        runners: dict[str, SchedulerRunner] = {}
        refused: dict[str, BundleRefused] = {}
        for name in config.models:
            try:
                bundle = await asyncio.to_thread(store.open, name)
                sampler = await asyncio.to_thread(family.load, bundle, session_config)
            except BundleRefused as refusal:
                log.error("%s", refusal)
                refused[name] = refusal
                continue
            scheduler = StepScheduler(
                sampler,
                max_queue=config.max_queue,
                max_unsent=config.max_unsent_events,
                observer=observe_model(name, queue_limit=config.max_queue, slots=sampler.limits.slots),
            )
            runners[name] = SchedulerRunner(scheduler, name, pace_s=config.stream_pace_ms / 1000)
            models[name] = ServedModel(
                bundle.manifest, bundle.digest, bundle.size_bytes, provider_names(session_config), ort.__version__
            )
            for number, task in enumerate(family.warm_up(bundle)):
                await _exhaust(runners[name].submit(Request(f"warm-up-{number}", name, (task,))))
            log.info("%s %s is warm", name, bundle.manifest.version)
        if refused and not models:
            raise next(iter(refused.values()))
        return cls(Offer(models, {name: refusal.reason for name, refusal in refused.items()}), runners)

    def submit(self, request: Request) -> EventStream:
        """Start a request. Raises `ModelNotFound`, `Overloaded` or `Draining` at once."""
        runner = self._runners.get(request.model)
        if runner is None:
            raise ModelNotFound(request.model, tuple(self._runners))
        return runner.submit(request)

    def check(self) -> None:
        """Raises `SextantError` where a scheduler has stopped, so that the replica gets replaced."""
        dead = [name for name, runner in self._runners.items() if not runner.alive]
        if dead:
            raise SextantError(f"the scheduler of {', '.join(dead)} stopped")

    async def drain(self, timeout_s: float = 10.0) -> None:
        """Finish what runs, for up to `timeout_s`, then stop."""
        await asyncio.gather(*(runner.drain(timeout_s) for runner in self._runners.values()))


async def _exhaust(stream: EventStream) -> None:
    seen = 0
    async for events in stream:
        seen += len(events)
        stream.acknowledge(seen)
