"""The Models service: what is served."""

from typing import Any

from sextant.contract import wire
from sextant.contract.errors import InvalidRequest, ModelNotFound
from sextant.contract.v1 import models_pb2
from sextant.contract.wire_enums import TASK_KIND_FROM_WIRE
from sextant.gateway.calls import Context, Refused
from sextant.gateway.dispatch import Dispatcher
from sextant.gateway.explain import family_message, model_message
from sextant.gateway.status import abort, to_status


class ModelsServicer:
    """Lists and describes the models that are ready."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    async def ListModels(  # noqa: N802 - the contract's name
        self, message: Any, context: Context
    ) -> models_pb2.ListModelsResponse:
        """All served models that match, in order of their names."""
        try:
            if isinstance(message, Refused):
                raise message.error
            wire.check(message)
        except Exception as error:
            await abort(context, to_status(error, ""))
        task = TASK_KIND_FROM_WIRE.get(message.task)
        models = [
            model_message(served)
            for _, served in sorted(self._dispatcher.models().items())
            if (not message.family or family_message(served.manifest.family) == message.family)
            and (task is None or task in served.manifest.tasks)
        ]
        return models_pb2.ListModelsResponse(models=models)

    async def GetModel(  # noqa: N802
        self, message: Any, context: Context
    ) -> models_pb2.GetModelResponse:
        """One model by name."""
        try:
            if isinstance(message, Refused):
                raise message.error
            if not message.name:
                raise InvalidRequest("name", "is required")
            models = self._dispatcher.models()
            if message.name not in models:
                raise ModelNotFound(message.name, tuple(sorted(models)))
        except Exception as error:
            await abort(context, to_status(error, ""))
        return models_pb2.GetModelResponse(model=model_message(models[message.name]))
