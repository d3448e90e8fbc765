"""Requests that reach no model: what would be chosen, what is served, whether it is well."""

from grpc_health.v1 import health_pb2

from sextant.client.fields import named, set_field
from sextant.client.requests import CallOptions, options
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.contract.v1 import guide_pb2, models_pb2
from sextant.contract.wire_enums import MODALITY_TO_WIRE, TASK_KIND_TO_WIRE


class DecideOptions(CallOptions, total=False):
    """What to decide for, besides the task; what is left out is the caller's silence."""

    input: Modality | str | None
    output: Modality | str | None
    # Seconds for the whole answer, 0 for no limit.
    deadline_s: float
    count: int
    class_label: str


def decide_request(task: TaskKind | str | None, given: DecideOptions) -> guide_pb2.DecideRequest:
    """What to decide for; no task where the intent says it."""
    chosen = options(given)
    takes, makes = given.get("input"), given.get("output")
    message = guide_pb2.DecideRequest(
        task=TASK_KIND_TO_WIRE[named(TaskKind, task, "task")] if task else None,
        input=MODALITY_TO_WIRE[named(Modality, takes, "input")] if takes else None,
        output=MODALITY_TO_WIRE[named(Modality, makes, "output")] if makes else None,
        priority=chosen.priority,
        guarantees=chosen.guarantees,
        model=chosen.model,
        intent=chosen.intent,
    )
    for name in ("deadline_s", "count", "class_label"):
        set_field(message, name, given.get(name), name)
    return message


def model_request(name: str) -> models_pb2.GetModelRequest:
    """A model to describe."""
    message = models_pb2.GetModelRequest()
    set_field(message, "name", name, "name")
    return message


def health_request(service: str) -> health_pb2.HealthCheckRequest:
    """A service to ask about; "" for the whole gateway."""
    return health_pb2.HealthCheckRequest(service=service)
