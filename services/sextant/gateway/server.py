"""The gRPC server: services, health, reflection, limits, and the way down."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from sextant.contract.errors import SextantError
from sextant.contract.v1 import generation_pb2, guide_pb2, models_pb2
from sextant.gateway import metrics
from sextant.gateway.access.admission import Admission
from sextant.gateway.access.keeper import KeyKeeper
from sextant.gateway.access.scopes import HEALTH, REFLECTION
from sextant.gateway.aio_server import aio_server
from sextant.gateway.calls import Calls
from sextant.gateway.certificates import CertificateKeeper
from sextant.gateway.config import GatewayConfig
from sextant.gateway.desk import Desk
from sextant.gateway.dispatch import Dispatcher
from sextant.gateway.generation import GenerationServicer
from sextant.gateway.guide.keeper import GuideKeeper
from sextant.gateway.guide_service import GuideServicer
from sextant.gateway.models_service import ModelsServicer
from sextant.gateway.strangers import Careful
from sextant.gateway.watched_files import look_again

log = logging.getLogger(__name__)

_HEALTH_PERIOD_S = 0.25
_LOOPBACK = ("127.", "localhost:", "[::1]:", "unix:")
# Beyond our own limit, so that we and not gRPC's core refuse what is a little too large: ours has details.
_CORE_LIMIT_FACTOR = 2


class Gateway:
    """One gateway process's server over a dispatcher."""

    def __init__(self, dispatcher: Dispatcher, keeper: GuideKeeper, config: GatewayConfig) -> None:
        self._dispatcher = dispatcher
        self._keeper = keeper
        self._config = config
        self._calls = Calls(config.max_message_bytes)
        self._desk = Desk(dispatcher, keeper)
        # Read before a port is open: what is broken keeps a gateway from starting.
        self._keys = None if config.keys is None else KeyKeeper(config.keys)
        self._certificates = _certificates(config)
        self._server = aio_server(
            interceptors=_admission(self._keys, config),
            options=[
                ("grpc.so_reuseport", 1),
                ("grpc.max_receive_message_length", config.max_message_bytes * _CORE_LIMIT_FACTOR),
                ("grpc.max_send_message_length", -1),
                # Who connects and then says nothing holds a connection no longer than this.
                ("grpc.server_handshake_timeout_ms", 20_000),
                ("grpc.max_concurrent_streams", config.max_concurrent_streams),
                ("grpc.keepalive_time_ms", 60_000),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ],
        )
        servicers: Mapping[ServiceDescriptor, Any] = {
            generation_pb2.DESCRIPTOR.services_by_name["Generation"]: GenerationServicer(
                dispatcher, self._desk, self._calls
            ),
            guide_pb2.DESCRIPTOR.services_by_name["Guide"]: GuideServicer(dispatcher, self._desk, self._calls),
            models_pb2.DESCRIPTOR.services_by_name["Models"]: ModelsServicer(dispatcher, self._calls),
        }
        for descriptor, servicer in servicers.items():
            self._server.add_registered_method_handlers(descriptor.full_name, self._handlers(descriptor, servicer))
        self._services = ["", *(descriptor.full_name for descriptor in servicers)]
        self._health = health.aio.HealthServicer()
        careful = Careful(self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, careful)
        if config.reflection != "off":
            told = [*self._services[1:], health.SERVICE_NAME, reflection.SERVICE_NAME]
            reflection_pb2_grpc.add_ServerReflectionServicer_to_server(reflection.aio.ReflectionServicer(told), careful)
        self._health_task: asyncio.Task[None] | None = None
        self._watches: list[asyncio.Task[None]] = []
        self.port = 0

    async def start(self) -> None:
        """Open the port. Health tells NOT_SERVING until every model is warm. Raises `SextantError` if it is taken."""
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        try:
            if self._certificates is None:
                self.port = self._server.add_insecure_port(self._config.listen)
            else:
                self.port = self._server.add_secure_port(self._config.listen, self._certificates.credentials())
        except RuntimeError as error:
            raise SextantError(f"cannot listen on {self._config.listen}") from error
        await self._server.start()
        self._health_task = asyncio.create_task(self._watch_readiness())
        for keeper in (self._keeper, self._keys, self._certificates):
            if keeper is not None:
                self._watches.append(asyncio.create_task(look_again(keeper.look)))
        log.info("listening on %s", self._config.listen)
        if self._keys is not None and self._certificates is None and not self._config.listen.startswith(_LOOPBACK):
            log.warning("API keys come in without TLS: whoever is on the way can read them")

    async def drain(self) -> None:
        """Tell NOT_SERVING, refuse what is new, let what runs finish within the configured time, then stop."""
        log.info("draining, %d calls open", self._calls.open)
        self._calls.draining = True
        metrics.READY.set(0)
        # Unlike setting it, this lasts: the watch of readiness may be about to tell SERVING.
        await self._health.enter_graceful_shutdown()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._calls.none_open.wait(), self._config.drain_seconds)
        for task in (self._health_task, *self._watches):
            if task is not None:
                task.cancel()
        await self._desk.close()
        await self._server.stop(1.0)
        log.info("stopped")

    def _handlers(self, descriptor: ServiceDescriptor, servicer: Any) -> dict[str, grpc.RpcMethodHandler]:
        """The handlers of a service, by method. Parsing is ours: gRPC's own answers a bad message with INTERNAL."""
        handlers = {}
        for method in descriptor.methods:
            make = (
                grpc.unary_stream_rpc_method_handler if method.server_streaming else grpc.unary_unary_rpc_method_handler
            )
            handlers[method.name] = make(
                getattr(servicer, method.name),
                request_deserializer=self._calls.deserializer(GetMessageClass(method.input_type), method.full_name),
                response_serializer=self._calls.serializer(GetMessageClass(method.output_type), method.full_name),
            )
        return handlers

    async def _watch_readiness(self) -> None:
        """Keep health true: SERVING while every model is warm."""
        told = None
        families: set[str] = set()
        while not self._calls.draining:
            away = self._dispatcher.away()
            running = {name: model for name, model in self._dispatcher.models().items() if name not in away}
            metrics.observe_offer(running, self._dispatcher.refused(), families)
            ready = self._dispatcher.ready()
            if ready != told:
                told = ready
                serving, not_serving = (
                    health_pb2.HealthCheckResponse.SERVING,
                    health_pb2.HealthCheckResponse.NOT_SERVING,
                )
                await self._set_health(serving if ready else not_serving)
                log.info("every model is warm" if ready else "not every model is warm")
            await asyncio.sleep(_HEALTH_PERIOD_S)

    async def _set_health(self, status: int) -> None:
        metrics.READY.set(status == health_pb2.HealthCheckResponse.SERVING and not self._calls.draining)
        for service in self._services:
            await self._health.set(service, status)


def _admission(keys: KeyKeeper | None, config: GatewayConfig) -> list[Admission]:
    """The door, where there are keys."""
    if keys is None:
        return []
    given = {HEALTH: config.health, REFLECTION: config.reflection}
    return [Admission(keys, frozenset(group for group, how in given.items() if how == "open"))]


def _certificates(config: GatewayConfig) -> CertificateKeeper | None:
    """TLS as configured; None without a certificate."""
    if config.tls_certificate is None or config.tls_key is None:
        return None
    return CertificateKeeper(config.tls_certificate, config.tls_key, config.tls_client_ca)
