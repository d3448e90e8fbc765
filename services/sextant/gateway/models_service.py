"""The Models service: what is served."""

from typing import Any

from sextant.contract.errors import InvalidRequest, ModelNotFound
from sextant.contract.v1 import models_pb2
from sextant.contract.wire_enums import TASK_KIND_FROM_WIRE
from sextant.gateway.calls import Calls, Context
from sextant.gateway.dispatch import Dispatcher
from sextant.gateway.explain import family_message, model_message


class ModelsServicer:
    """Lists and describes the models that are ready."""

    def __init__(self, dispatcher: Dispatcher, calls: Calls) -> None:
        self._dispatcher = dispatcher
        self._calls = calls

    async def ListModels(  # noqa: N802 - the contract's name
        self, message: Any, context: Context
    ) -> models_pb2.ListModelsResponse:
        """All served models that match, in order of their names."""

        async def work() -> models_pb2.ListModelsResponse:
            task = TASK_KIND_FROM_WIRE.get(message.task)
            models = [
                model_message(served)
                for _, served in sorted(self._dispatcher.models().items())
                if (not message.family or family_message(served.manifest.family) == message.family)
                and (task is None or task in served.manifest.tasks)
            ]
            return models_pb2.ListModelsResponse(models=models)

        return await self._calls.look_up(message, context, work)

    async def GetModel(  # noqa: N802
        self, message: Any, context: Context
    ) -> models_pb2.GetModelResponse:
        """One model by name."""

        async def work() -> models_pb2.GetModelResponse:
            if not message.name:
                raise InvalidRequest("name", "is required")
            models = self._dispatcher.models()
            if message.name not in models:
                raise ModelNotFound(message.name, tuple(sorted(models)))
            return models_pb2.GetModelResponse(model=model_message(models[message.name]))

        return await self._calls.look_up(message, context, work)
