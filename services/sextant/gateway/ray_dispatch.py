"""Dispatch to Ray Serve: finds the replicas, sends requests, and carries streams over the loss of a replica."""

import asyncio
import dataclasses
import logging
import random
import time
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from sextant.contract.errors import DeadlineExceeded, ModelNotFound, ModelUnavailable
from sextant.contract.events import Event, Result
from sextant.contract.tasks import Request
from sextant.gateway.dispatch import StreamStats
from sextant.replicas.environment import set_ray_environment
from sextant.replicas.messages import Failed, Hello
from sextant.replicas.served import Offer, ServedModel

set_ray_environment()

import ray  # noqa: E402 - its switches are read on import
from ray import serve  # noqa: E402
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayActorError  # noqa: E402
from ray.serve.handle import DeploymentHandle  # noqa: E402

from sextant.replicas.cluster import APP_PREFIX, NAMESPACE  # noqa: E402

log = logging.getLogger(__name__)

_LOST = (ActorDiedError, ActorUnavailableError, RayActorError)
_MOST_RETRIES = 3
_RETRY_PAUSE_S = 0.1
_POLL_S = 1.0


class RayDispatcher:
    """The dispatcher of a gateway that is a driver of the cluster. Make it with `connect`."""

    def __init__(self) -> None:
        self._models: dict[str, ServedModel] = {}
        self._refused: dict[str, str] = {}
        self._handles: dict[str, DeploymentHandle] = {}  # by family
        self._family_of: dict[str, str] = {}  # by model
        self._running: dict[str, bool] = {}  # by family
        self._watcher: asyncio.Task[None] | None = None
        self._acknowledging: set[asyncio.Task[None]] = set()

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
        await asyncio.to_thread(ray.shutdown)

    def models(self) -> Mapping[str, ServedModel]:
        """The models of the families that have a running replica."""
        return {name: model for name, model in self._models.items() if self._running.get(self._family_of[name])}

    def refused(self) -> Mapping[str, str]:
        """The bundles that replicas would not serve."""
        return self._refused

    def ready(self) -> bool:
        """Whether every deployed family has a running replica."""
        return bool(self._running) and all(self._running.values())

    async def stream(self, request: Request, stats: StreamStats) -> AsyncGenerator[Sequence[Event], None]:
        """See `Dispatcher.stream`. At most three replicas are lost before `ModelUnavailable` is raised."""
        family = self._family_of.get(request.model)
        if family is None:
            raise ModelNotFound(request.model, tuple(self._models))
        arrived = time.monotonic()
        deadline = None if request.budget_s is None else arrived + request.budget_s
        delivered = [0] * len(request.tasks)
        while True:
            budget = None if deadline is None else deadline - time.monotonic()
            attempt = dataclasses.replace(request, budget_s=budget, resume_from=tuple(delivered))
            try:
                async for batch in self._attempt(self._handles[family], attempt, budget):
                    for event in batch:
                        delivered[event.body.item] = event.sequence + 1
                        if isinstance(event.body, Result) and stats.started_s is None:
                            stats.started_s = arrived + event.body.usage.queue_s
                    yield batch
                return
            except _LOST as lost:
                stats.retries += 1
                log.warning("request %s lost its replica: %s", request.request_id, type(lost).__name__)
                if stats.retries > _MOST_RETRIES:
                    raise ModelUnavailable(f"{request.model} lost {stats.retries} replicas in a row") from lost
                await asyncio.sleep(_RETRY_PAUSE_S * stats.retries * random.uniform(0.5, 1.5))

    async def _attempt(
        self, handle: DeploymentHandle, request: Request, budget_s: float | None
    ) -> AsyncGenerator[Sequence[Event], None]:
        """The request on one replica, until it ends or the replica is lost."""
        stream_id = uuid.uuid4().hex
        method = handle.options(
            method_name="stream", stream=True, request_serialization="pickle", response_serialization="pickle"
        )
        messages: Any = method.remote(request, stream_id)
        try:
            hello = await _first(messages, budget_s)
            if isinstance(hello, Failed):
                raise hello.error
            yield ()
            seen = acknowledged = 0
            async for message in messages:
                if isinstance(message, Failed):
                    raise message.error
                yield message
                # Asked for more: what was yielded has gone out.
                seen += len(message)
                if seen - acknowledged >= hello.acknowledge_every:
                    acknowledged = seen
                    self._acknowledge(handle, hello, stream_id, seen)
        finally:
            messages.cancel()

    def _acknowledge(self, handle: DeploymentHandle, hello: Hello, stream_id: str, events: int) -> None:
        async def send() -> None:
            method = handle.options(method_name="acknowledge")
            try:
                await asyncio.wait_for(method.remote(stream_id, events, replica_id=hello.replica_id), 5.0)
            except (TimeoutError, *_LOST):
                log.debug("an acknowledgement did not reach replica %s", hello.replica_id)

        task = asyncio.create_task(send())
        self._acknowledging.add(task)
        task.add_done_callback(self._acknowledging.discard)

    async def _watch(self) -> None:
        """Keep the snapshot of what is served up to date."""
        while True:
            try:
                await self._look()
            except asyncio.CancelledError:
                raise
            except Exception:
                log.warning("the cluster could not be asked what it serves", exc_info=True)
            await asyncio.sleep(_POLL_S)

    async def _look(self) -> None:
        status = await asyncio.to_thread(serve.status)
        running: dict[str, bool] = {}
        for name, application in status.applications.items():
            if not name.startswith(APP_PREFIX):
                continue
            family = name.removeprefix(APP_PREFIX)
            deployment = application.deployments.get(family)
            up = deployment is not None and deployment.replica_states.get("RUNNING", 0) > 0
            if up and family not in self._handles:
                handle = await asyncio.to_thread(serve.get_app_handle, name)
                offer: Offer = await handle.options(method_name="offer").remote()
                self._models.update(offer.models)
                self._refused.update(offer.refused)
                self._family_of.update(dict.fromkeys(offer.models, family))
                self._handles[family] = handle
            running[family] = up
        self._running = running


async def _first(messages: Any, budget_s: float | None) -> Hello | Failed:
    """The first message, within the deadline: before it there may be no replica at all."""
    try:
        first: Hello | Failed = await asyncio.wait_for(anext(messages), budget_s)
    except TimeoutError as error:
        raise DeadlineExceeded("no replica took the request within its deadline") from error
    return first
