"""What the Guide and Models services answer, and what reflection tells of them all."""

import asyncio

import grpc
import pytest
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from sextant.contract.v1 import (
    generation_pb2,
    generation_pb2_grpc,
    guide_pb2,
    guide_pb2_grpc,
    media_pb2,
    models_pb2,
    models_pb2_grpc,
)
from tests.gateway.scripted import ScriptedDispatcher, answering, serving
from tests.gateway.test_errors import details_of
from tests.gateway.test_guide import MODELS


@pytest.fixture
def dispatcher() -> ScriptedDispatcher:
    return ScriptedDispatcher(MODELS, answering())


async def test_reflection_lists_and_describes_every_service(gateway):
    def ask() -> tuple[set[str], set[str]]:
        with grpc.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            file = database.FindFileContainingSymbol("sextant.v1.Generation")
            return set(database.get_services()), {method.name for method in file.service[0].method}

    services, methods = await asyncio.to_thread(ask)
    assert {f"sextant.v1.{name}" for name in ("Generation", "Guide", "Models")} <= services
    assert "grpc.health.v1.Health" in services
    assert methods == {"Generate", "Transform", "Interpolate", "Encode", "EncodeStream", "Decode", "Score"}


async def test_models_are_listed_by_name_and_filtered_by_family_and_task(channel):
    stub = models_pb2_grpc.ModelsStub(channel)

    async def names(**wanted) -> list[str]:
        return [model.name for model in (await stub.ListModels(models_pb2.ListModelsRequest(**wanted))).models]

    assert await names() == sorted(MODELS)
    assert await names(family=models_pb2.FAMILY_FLOW) == ["glow", "realnvp"]
    assert await names(task=models_pb2.TASK_KIND_DECODE) == ["beta-vae", "glow"]
    assert await names(family=models_pb2.FAMILY_FLOW, task=models_pb2.TASK_KIND_DECODE) == ["glow"]
    model = (await stub.GetModel(models_pb2.GetModelRequest(name="glow"))).model
    assert (model.family, model.score_estimator) == (models_pb2.FAMILY_FLOW, models_pb2.ESTIMATOR_EXACT)
    assert [space.id for space in model.latent_spaces] == ["glow"]


async def test_the_guide_decides_as_the_request_itself_would_be_decided(channel, dispatcher):
    wanted = guide_pb2.DecideRequest(task=models_pb2.TASK_KIND_GENERATE, output=media_pb2.MODALITY_IMAGE, priority=2)
    dry = (await guide_pb2_grpc.GuideStub(channel).Decide(wanted)).decision
    request = generation_pb2.GenerateRequest(output=media_pb2.MODALITY_IMAGE)
    request.options.priority = guide_pb2.PRIORITY_SPEED
    event = await generation_pb2_grpc.GenerationStub(channel).Generate(request).read()
    assert event.accepted.decision == dry
    assert (dry.choice.model, dry.rule.name) == ("stylegan", "image-speed")
    assert dry.rule.line > 0
    assert {r.model for r in dry.rejections} | {a.model for a in dry.alternatives} | {"stylegan"} == set(MODELS)


async def test_what_nothing_can_do_is_an_answer_of_the_guide_not_an_error(channel):
    wanted = guide_pb2.DecideRequest(task=models_pb2.TASK_KIND_ENCODE, input=media_pb2.MODALITY_AUDIO)
    decision = (await guide_pb2_grpc.GuideStub(channel).Decide(wanted)).decision
    assert not decision.HasField("choice")
    assert len(decision.rejections) == len(MODELS)


async def test_every_service_refuses_what_is_new_while_draining():
    release = asyncio.Event()

    async def held(request, stats):
        yield ()
        await release.wait()

    async with serving(ScriptedDispatcher(MODELS, held)) as (channel, gateway):
        running = generation_pb2_grpc.GenerationStub(channel).Generate(generation_pb2.GenerateRequest(prompt="x"))
        await running.read()
        draining = asyncio.create_task(gateway.drain())
        await asyncio.sleep(0)
        for call in (
            models_pb2_grpc.ModelsStub(channel).ListModels(models_pb2.ListModelsRequest()),
            guide_pb2_grpc.GuideStub(channel).Decide(guide_pb2.DecideRequest(task=1)),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
            assert details_of(refused.value)["ErrorInfo"].reason == "DRAINING"
        running.cancel()
        release.set()
        await draining
