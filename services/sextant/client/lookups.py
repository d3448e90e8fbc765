"""Requests that reach no model: what would be chosen, what is served, whether it is well."""

from grpc_health.v1 import health_pb2

from sextant.client.fields import named, set_field
from sextant.client.requests import CallOptions, options
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.contract.v1 import guide_pb2, models_pb2
from sextant.contract.wire_enums import MODALITY_TO_WIRE, TASK_KIND_TO_WIRE


def decide_request(
    task: TaskKind | str,
    takes: Modality | str | None,
    makes: Modality | str | None,
    deadline_s: float,
    given: CallOptions,
) -> guide_pb2.DecideRequest:
    """What to decide for."""
    chosen = options(given)
    return guide_pb2.DecideRequest(
        task=TASK_KIND_TO_WIRE[named(TaskKind, task, "task")],
        input=MODALITY_TO_WIRE[named(Modality, takes, "input")] if takes else None,
        output=MODALITY_TO_WIRE[named(Modality, makes, "output")] if makes else None,
        priority=chosen.priority,
        guarantees=chosen.guarantees,
        deadline_s=deadline_s,
        model=chosen.model,
    )


def model_request(name: str) -> models_pb2.GetModelRequest:
    """A model to describe."""
    message = models_pb2.GetModelRequest()
    set_field(message, "name", name, "name")
    return message


def health_request(service: str) -> health_pb2.HealthCheckRequest:
    """A service to ask about; "" for the whole gateway."""
    return health_pb2.HealthCheckRequest(service=service)
