"""The Guide service: decisions without the work."""

from typing import Any

from sextant.contract.errors import InvalidRequest
from sextant.contract.media import Modality
from sextant.contract.options import PRIORITY_FROM_WIRE
from sextant.contract.tasks import TaskKind
from sextant.contract.v1 import guide_pb2
from sextant.contract.wire_enums import MODALITY_FROM_WIRE, TASK_KIND_FROM_WIRE
from sextant.gateway.calls import Calls, Context
from sextant.gateway.dispatch import Dispatcher
from sextant.gateway.explain import decision_message
from sextant.gateway.guide.decision import Wanted
from sextant.gateway.guide.router import decide
from sextant.gateway.guide.schema import Guide


class GuideServicer:
    """Answers what a request would be answered by."""

    def __init__(self, dispatcher: Dispatcher, guide: Guide, calls: Calls) -> None:
        self._dispatcher = dispatcher
        self._guide = guide
        self._calls = calls

    async def Decide(self, message: Any, context: Context) -> guide_pb2.DecideResponse:  # noqa: N802
        """The decision that a request like this would get now."""

        def work() -> guide_pb2.DecideResponse:
            decision = decide(self._guide, self._dispatcher.models(), _wanted(message))
            return guide_pb2.DecideResponse(decision=decision_message(decision))

        return await self._calls.look_up(message, context, work)


def _wanted(message: guide_pb2.DecideRequest) -> Wanted:
    task = TASK_KIND_FROM_WIRE.get(message.task)
    if task is None:
        raise InvalidRequest("task", "is required")
    if message.deadline_s < 0:
        raise InvalidRequest("deadline_s", "must not be negative")
    guarantees = message.guarantees
    given = MODALITY_FROM_WIRE.get(message.input)
    return Wanted(
        task=task,
        input=given,
        output=MODALITY_FROM_WIRE.get(message.output),
        priority=PRIORITY_FROM_WIRE.get(message.priority),
        exact_likelihood=guarantees.exact_likelihood,
        deterministic=guarantees.deterministic,
        latent_space=guarantees.latent_space,
        encodes=task is TaskKind.INTERPOLATE and given not in (None, Modality.LATENT),
        deadline_s=message.deadline_s or None,
        model=message.model,
    )
