"""The services of a gateway, as gRPC stubs on one channel; shared by both clients."""

from collections.abc import Callable
from functools import partial
from typing import Any

from grpc_health.v1 import health_pb2, health_pb2_grpc

from sextant.contract.v1 import (
    generation_pb2,
    generation_pb2_grpc,
    guide_pb2,
    guide_pb2_grpc,
    models_pb2,
    models_pb2_grpc,
)

# Full names of what a gateway offers.
SERVICES: tuple[str, ...] = tuple(
    service.full_name
    for contract in (generation_pb2, guide_pb2, models_pb2)
    for service in contract.DESCRIPTOR.services_by_name.values()
)


class Services:
    """Stubs on a channel, blocking or asyncio; every call shows the API key, if there is one."""

    def __init__(self, channel: Any, api_key: str | None = None) -> None:
        metadata = () if api_key is None else (("authorization", f"Bearer {api_key}"),)
        self.generation = _with(metadata, generation_pb2_grpc.GenerationStub(channel))
        self.guide = _with(metadata, guide_pb2_grpc.GuideStub(channel))
        self.models = _with(metadata, models_pb2_grpc.ModelsStub(channel))
        self.health = _with(metadata, health_pb2_grpc.HealthStub(channel))

    def asking(self, kind: str) -> Callable[..., Any]:
        """The method of a kind of request, by its name in `StoredAnswer`."""
        method: Callable[..., Any] = getattr(self.generation, kind.title().replace("_", ""))
        return method


def _with(metadata: tuple[tuple[str, str], ...], stub: Any) -> Any:
    """The stub, all of whose calls carry `metadata`."""
    if metadata:
        for name, method in vars(stub).items():
            setattr(stub, name, partial(method, metadata=metadata))
    return stub


def is_serving(response: health_pb2.HealthCheckResponse) -> bool:
    """What a health check says."""
    return bool(response.status == health_pb2.HealthCheckResponse.SERVING)
