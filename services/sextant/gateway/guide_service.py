"""The Guide service: decisions without the work."""

from dataclasses import replace
from typing import Any

from sextant.contract.errors import InvalidRequest
from sextant.contract.media import Modality
from sextant.contract.options import LONGEST_INTENT, PRIORITY_FROM_WIRE
from sextant.contract.tasks import TaskKind
from sextant.contract.v1 import guide_pb2
from sextant.contract.wire_enums import MODALITY_FROM_WIRE, TASK_KIND_FROM_WIRE
from sextant.gateway.calls import Calls, Context
from sextant.gateway.desk import Desk
from sextant.gateway.dispatch import Dispatcher
from sextant.gateway.explain import decision_message
from sextant.gateway.guide.decision import Wanted
from sextant.gateway.intents import Understood

_MOST_ITEMS = 256


class GuideServicer:
    """Answers what a request would be answered by."""

    def __init__(self, dispatcher: Dispatcher, desk: Desk, calls: Calls) -> None:
        self._dispatcher = dispatcher
        self._desk = desk
        self._calls = calls

    async def Decide(self, message: Any, context: Context) -> guide_pb2.DecideResponse:  # noqa: N802
        """The decision that a request like this would get now."""

        async def work() -> guide_pb2.DecideResponse:
            understood = await self._understood(message, context)
            wanted = _wanted(message, understood)
            told = decision_message(self._desk.decide(self._dispatcher.models(), wanted))
            if understood is not None:
                told.understood.CopyFrom(understood.message())
            return guide_pb2.DecideResponse(decision=told)

        return await self._calls.look_up(message, context, work)

    async def _understood(self, message: guide_pb2.DecideRequest, context: Context) -> Understood | None:
        """What the words mean; None where there are none, or where something else is said too."""
        if len(message.intent) > LONGEST_INTENT:
            raise InvalidRequest("intent", f"is longer than {LONGEST_INTENT} characters")
        said = message.task or message.model or message.output or message.priority or message.guarantees.ByteSize()
        if said or not message.intent:
            return None
        guide, budget_s = self._desk.guide, context.time_remaining()
        return await self._desk.intents.understood(message.intent, guide, "intent", budget_s)


def _wanted(message: guide_pb2.DecideRequest, understood: Understood | None) -> Wanted:
    task = TASK_KIND_FROM_WIRE.get(message.task) if understood is None else understood.row.task
    if task is None:
        raise InvalidRequest("task", "is required")
    if message.deadline_s < 0:
        raise InvalidRequest("deadline_s", "must not be negative")
    if message.count > _MOST_ITEMS:
        raise InvalidRequest("count", f"must be at most {_MOST_ITEMS}, not {message.count}")
    guarantees = message.guarantees
    given = MODALITY_FROM_WIRE.get(message.input)
    wanted = Wanted(
        task=task,
        input=given,
        output=MODALITY_FROM_WIRE.get(message.output),
        priority=PRIORITY_FROM_WIRE.get(message.priority),
        exact_likelihood=guarantees.exact_likelihood,
        deterministic=guarantees.deterministic,
        latent_space=guarantees.latent_space,
        class_label=message.class_label,
        encodes=task is TaskKind.INTERPOLATE and given not in (None, Modality.LATENT),
        count=message.count or 1,
        deadline_s=message.deadline_s or None,
        model=message.model,
    )
    if understood is None:
        return wanted
    row = understood.row
    label = message.class_label or understood.class_label
    return replace(wanted, input=given or row.input, output=row.output, priority=row.priority, class_label=label)
