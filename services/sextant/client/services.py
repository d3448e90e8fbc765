"""The services of a gateway, as gRPC stubs on one channel; shared by both clients."""

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
    """Stubs on a channel, blocking or asyncio."""

    def __init__(self, channel: Any) -> None:
        self.generation = generation_pb2_grpc.GenerationStub(channel)
        self.guide = guide_pb2_grpc.GuideStub(channel)
        self.models = models_pb2_grpc.ModelsStub(channel)
        self.health = health_pb2_grpc.HealthStub(channel)


def is_serving(response: health_pb2.HealthCheckResponse) -> bool:
    """What a health check says."""
    return bool(response.status == health_pb2.HealthCheckResponse.SERVING)
