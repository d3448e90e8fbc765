"""Hybrids behind a real gateway."""

import grpc
import pytest

from sextant.bundles.store import SHIPPED_DIRECTORY, BundleStore
from sextant.client import AsyncClient, requests
from sextant.contract.tasks import DiffusionParameters, GanParameters, HybridParameters
from sextant.contract.v1 import generation_pb2_grpc
from tests.gateway.scripted import serving
from tests.hybrids.local import distributed

STORE = BundleStore([SHIPPED_DIRECTORY])
MODELS = {"vae": ["fashion-cvae"], "diffusion": ["fashion-diffusion"]}


@pytest.fixture
async def target():
    async with distributed(STORE, "fashion-refined", MODELS) as (dispatcher, _), serving(dispatcher) as (_, gateway):
        yield f"127.0.0.1:{gateway.port}"


async def ask(target: str, **given):
    async with AsyncClient(target) as client:
        stream = client.generate(model="fashion-refined", seed=3, **given)
        events = [event async for event in stream]
        return events, stream.receipt


async def test_a_hybrid_is_asked_like_any_model_and_its_receipt_lists_the_stages(target):
    _, receipt = await ask(target, class_label="sneaker", count=2)
    assert receipt.model == "fashion-refined"
    assert [(stage.stage, stage.model, stage.family, stage.steps) for stage in receipt.stages] == [
        ("draft", "fashion-cvae", "vae", 2),
        ("refine", "fashion-diffusion", "diffusion", 10),
    ]
    assert all(len(stage.bundle_digest) == 64 for stage in receipt.stages)
    assert [item.steps for item in receipt.items] == [6, 6]


async def test_parameters_reach_a_stage_by_its_name_or_as_those_of_the_streamed_one(target):
    given = DiffusionParameters(steps=4)
    _, by_name = await ask(target, hybrid=HybridParameters({"refine": given}))
    _, alone = await ask(target, diffusion=given)
    assert [stage.steps for stage in by_name.stages] == [1, 2]
    assert [item.sha256 for item in by_name.items] == [item.sha256 for item in alone.items]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"hybrid": HybridParameters({"refine": DiffusionParameters(steps=1001)})}, "hybrid.stages[refine]"),
        ({"hybrid": HybridParameters({"refine": GanParameters(truncation=0.5)})}, "hybrid.stages[refine]"),
        ({"hybrid": HybridParameters({"nose": DiffusionParameters()})}, "hybrid.stages[nose]"),
        ({"class_label": "umbrella"}, "conditions.class_label"),
        ({"width_px": 64}, "size.width_px"),
    ],
)
async def test_what_is_wrong_is_told_by_its_field(target, given, field):
    message = requests.generate_request(None, {"model": "fashion-refined", **given})
    async with grpc.aio.insecure_channel(target) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            [event async for event in generation_pb2_grpc.GenerationStub(channel).Generate(message)]
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert field in refused.value.details()


async def test_it_is_listed_beside_the_models_of_its_stages(target):
    async with AsyncClient(target) as client:
        listed = {model.name: model for model in await client.models()}
    assert listed["fashion-refined"].family == "hybrid"
    assert set(listed) == {"fashion-cvae", "fashion-diffusion", "fashion-refined"}
