"""Dispatch to the replicas that Ray Serve runs: finds them, picks one, and carries streams over its loss.

Serve places, heals and upgrades replicas and says how to reach them; requests and events pass it by (`replicas.link`).
"""

import asyncio
import contextlib
import dataclasses
import logging
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence, Set
from functools import partial
from typing import Any

from sextant.contract.errors import DeadlineExceeded, Draining, ModelNotFound, ModelUnavailable
from sextant.contract.events import Event, Result
from sextant.contract.tasks import Request
from sextant.gateway.dispatch import StreamStats
from sextant.gateway.replica import Replica
from sextant.replicas import tracing
from sextant.replicas.environment import set_ray_environment
from sextant.replicas.link import LinkLost, Stranger
from sextant.replicas.messages import Introduction
from sextant.replicas.served import ServedModel
from sextant.replicas.tracing import Span

set_ray_environment()

import ray  # noqa: E402 - its switches are read on import
from ray import serve  # noqa: E402
from ray.serve.exceptions import DeploymentUnavailableError  # noqa: E402
from ray.serve.handle import DeploymentHandle  # noqa: E402

from sextant.replicas.cluster import APP_PREFIX, NAMESPACE  # noqa: E402

log = logging.getLogger(__name__)

_LOST = (LinkLost, Draining)
_MOST_RETRIES = 3
_RETRY_PAUSE_S = 0.1
_POLL_S = 1.0
_POLL_SOON_S = 0.2  # while a replica is missing
_INTRODUCTION_S = 5.0


class RayDispatcher:
    """The dispatcher of a gateway that is a driver of the cluster. Make it with `connect`."""

    def __init__(self) -> None:
        self._models: dict[str, ServedModel] = {}
        self._refused: dict[str, str] = {}
        self._family_of: dict[str, str] = {}  # by model
        self._handles: dict[str, DeploymentHandle] = {}  # by family
        self._replicas: dict[str, dict[str, Replica]] = {}  # by family, then by the replica's id
        self._running: dict[str, bool] = {}  # by family
        self._met = asyncio.Condition()
        self._look_now = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None
        self._meetings: dict[str, asyncio.Task[None]] = {}  # by family

    @classmethod
    async def connect(cls, address: str) -> "RayDispatcher":
        """Join the cluster at `address` and keep watch on what it serves."""
        ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.WARNING)
        dispatcher = cls()
        dispatcher._watcher = asyncio.create_task(dispatcher._watch())
        return dispatcher

    async def close(self) -> None:
        """Leave the cluster; it runs on."""
        if self._watcher is not None:
            self._watcher.cancel()
        for meeting in self._meetings.values():
            meeting.cancel()
        for replicas in self._replicas.values():
            for replica in replicas.values():
                replica.close()
        await asyncio.to_thread(ray.shutdown)

    def models(self) -> Mapping[str, ServedModel]:
        """The models of the families that are deployed."""
        return {name: model for name, model in self._models.items() if self._family_of[name] in self._running}

    def away(self) -> Set[str]:
        """The models of the families that have no running replica."""
        if all(self._running.values()):
            return frozenset()
        return {name for name in self.models() if not self._running[self._family_of[name]]}

    def refused(self) -> Mapping[str, str]:
        """The bundles that replicas would not serve."""
        return self._refused

    def ready(self) -> bool:
        """Whether every deployed family has a running replica."""
        return bool(self._running) and all(self._running.values())

    async def stream(self, request: Request, stats: StreamStats) -> AsyncGenerator[Sequence[Event], None]:
        """See `Dispatcher.stream`. At most three replicas are lost before `ModelUnavailable` is raised.

        What one version of a bundle began, no other goes on with: where none of that version is left, it is raised too.
        """
        if request.model not in self._family_of:
            raise ModelNotFound(request.model, tuple(self._models))
        arrived = time.monotonic()
        deadline = None if request.budget_s is None else arrived + request.budget_s
        delivered = [0] * len(request.tasks)
        digest: str | None = None
        while True:
            replica = self._choose(request.model, digest) or await self._first_to_come(request.model, digest, deadline)
            served = replica.introduction.offer.models[request.model]
            budget = None if deadline is None else deadline - time.monotonic()
            span = Span()
            if request.trace:
                replica_id = replica.introduction.replica_id
                span = tracing.begin("attempt", request.trace, model=request.model, replica=replica_id)
            attempt = dataclasses.replace(
                request, budget_s=budget, resume_from=tuple(delivered), trace=span.traceparent
            )
            lost_by = ""
            try:
                async with contextlib.aclosing(replica.stream(attempt)) as batches:
                    async for batch in batches:
                        stats.answered[request.model] = served
                        for event in batch:
                            digest = served.digest
                            delivered[event.body.item] = event.sequence + 1
                            if isinstance(event.body, Result) and stats.started_s is None:
                                stats.started_s = arrived + event.body.usage.queue_s
                        yield batch
                return
            except _LOST as lost:
                lost_by = str(lost)
                stats.retries += 1
                log.warning("request %s lost its replica: %s", request.request_id, lost)
                if stats.retries > _MOST_RETRIES:
                    raise ModelUnavailable(f"{request.model} lost {stats.retries} replicas in a row") from lost
                await asyncio.sleep(_RETRY_PAUSE_S * stats.retries * random.uniform(0.5, 1.5))
            finally:
                span.end(lost_by)

    def _choose(self, model: str, digest: str | None) -> Replica | None:
        """Of two that have the model, the one with fewer streams of this gateway (power of two choices).

        Only of the bundle `digest`, where it is given: raises `ModelUnavailable` where there are others only.
        """
        replicas = self._replicas.get(self._family_of[model], {}).values()
        taking = [replica for replica in replicas if replica.taking and model in replica.introduction.offer.models]
        if taking and digest is not None:
            taking = [replica for replica in taking if replica.introduction.offer.models[model].digest == digest]
            if not taking:
                raise ModelUnavailable(f"{model} was replaced by another version before its answer was whole")
        if not taking:
            return None
        return min(random.sample(taking, min(2, len(taking))), key=lambda replica: replica.open_streams)

    async def _first_to_come(self, model: str, digest: str | None, deadline: float | None) -> Replica:
        """Waits for a replica, where there is none. Raises `DeadlineExceeded`."""
        self._look_now.set()
        try:
            async with asyncio.timeout(None if deadline is None else deadline - time.monotonic()), self._met:
                while (replica := self._choose(model, digest)) is None:
                    await self._met.wait()
        except TimeoutError as error:
            raise DeadlineExceeded("no replica took the request within its deadline") from error
        return replica

    async def _watch(self) -> None:
        """Keep the snapshot of what is served up to date."""
        while True:
            settled = False
            try:
                settled = await self._look()
            except Exception:
                log.warning("the cluster could not be asked what it serves", exc_info=True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look_now.wait(), _POLL_S if settled else _POLL_SOON_S)
            self._look_now.clear()

    async def _look(self) -> bool:
        """Ask Serve what runs, and meet who is new. Whether all replicas that run are known."""
        status = await asyncio.to_thread(serve.status)
        running: dict[str, bool] = {}
        settled = True
        for name, application in status.applications.items():
            if not name.startswith(APP_PREFIX):
                continue
            family = name.removeprefix(APP_PREFIX)
            deployment = application.deployments.get(family)
            count = 0 if deployment is None else deployment.replica_states.get("RUNNING", 0)
            self._replicas.setdefault(family, {})
            if count and count != self._taking(family):
                settled = False
                if family not in self._meetings:  # which may last: one that hangs keeps nobody else waiting
                    self._meetings[family] = asyncio.create_task(self._meet(family, name))
            running[family] = count > 0 and family in self._family_of.values()
        self._running = running
        return settled

    def _taking(self, family: str) -> int:
        return sum(replica.taking for replica in self._replicas[family].values())

    async def _meet(self, family: str, application: str) -> None:
        """Have every replica of a family introduce itself, and connect to those not known yet."""
        try:
            if family not in self._handles:
                self._handles[family] = await asyncio.to_thread(serve.get_app_handle, application)
            asked = self._handles[family].broadcast("introduce")
            async with asyncio.timeout(_INTRODUCTION_S):
                # Not `results_async`: where one replica hangs, that tells nothing of the others either.
                answers = [result.get_async() for result in await asked._fetch_replica_results_async()]
                await asyncio.gather(*(self._greet(family, answer) for answer in answers))
        except (DeploymentUnavailableError, TimeoutError):
            pass  # gone again already, or it hangs
        except Exception:
            log.warning("the replicas of %s could not be asked who they are", family, exc_info=True)
        finally:
            self._meetings.pop(family, None)

    async def _greet(self, family: str, answer: Awaitable[Any]) -> None:
        """Connect to the replica that introduces itself by `answer`, unless it is known."""
        replicas = self._replicas[family]
        try:
            who = await answer
            if not isinstance(who, Introduction) or who.replica_id in replicas:
                return
            replicas[who.replica_id] = await Replica.meet(who, partial(self._part, family, who))
        except (LinkLost, Stranger) as error:
            log.warning("a replica of %s: %s", family, error)
            return
        except Exception as error:  # Serve's many ways of saying that it is gone
            log.info("a replica of %s did not introduce itself: %r", family, error)
            return
        self._offers(family, who)
        async with self._met:
            self._met.notify_all()

    def _offers(self, family: str, newest: Introduction) -> None:
        """What a family offers is what its replicas do, the newest's word first: another version may offer less."""
        told = [replica.introduction.offer for replica in self._replicas[family].values() if replica.taking]
        for name in [name for name, of in self._family_of.items() if of == family]:
            if not any(name in offer.models for offer in told):
                del self._family_of[name], self._models[name]
        self._models.update(newest.offer.models)
        self._refused.update(newest.offer.refused)
        self._family_of.update(dict.fromkeys(newest.offer.models, family))

    def _part(self, family: str, who: Introduction) -> None:
        """A replica is gone."""
        self._replicas[family].pop(who.replica_id, None)
        self._look_now.set()
