"""Plain gRPC stubs on the running platform: what any client in any language would use."""

from collections.abc import Iterator
from types import SimpleNamespace

import grpc
import pytest

from sextant.contract.v1 import generation_pb2, generation_pb2_grpc, guide_pb2_grpc, media_pb2, models_pb2_grpc
from tests.conftest import Platform


@pytest.fixture
def channel(platform: Platform) -> Iterator[grpc.Channel]:
    # A subchannel of its own for each test: with SO_REUSEPORT it lands on either gateway.
    with grpc.insecure_channel(platform.target, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        yield channel


@pytest.fixture
def stubs(channel: grpc.Channel) -> SimpleNamespace:
    return SimpleNamespace(
        generation=generation_pb2_grpc.GenerationStub(channel),
        guide=guide_pb2_grpc.GuideStub(channel),
        models=models_pb2_grpc.ModelsStub(channel),
    )


def text_request(prompt: str = "Tell me a story.", *, seed: int = 7, model: str = "", **parameters):
    """A request for text; `parameters` are those of TextParameters."""
    return generation_pb2.GenerateRequest(
        options=generation_pb2.Options(model=model, seed=seed),
        prompt=prompt,
        text=generation_pb2.TextParameters(**{"max_tokens": 24, **parameters}),
    )


def probe_request(prompt: str = "go", steps: int = 20, **rest):
    return text_request(prompt, model="probe", max_tokens=steps, **rest)


def encode_request(*texts: str, model: str = ""):
    items = [media_pb2.Media(text=media_pb2.Text(content=text)) for text in texts]
    return generation_pb2.EncodeRequest(options=generation_pb2.Options(model=model, seed=1), items=items)


def score_request(*texts: str, model: str = "", context: str = ""):
    items = [media_pb2.Media(text=media_pb2.Text(content=text)) for text in texts]
    return generation_pb2.ScoreRequest(
        options=generation_pb2.Options(model=model, seed=1), items=items, context=context
    )


def without_timing(events: list) -> list[bytes]:
    """Events up to the receipt, as bytes, without the request's id: what must be the same every time."""
    shown = []
    for event in events:
        if event.WhichOneof("event") in ("accepted", "receipt"):
            continue
        shown.append(event.SerializeToString(deterministic=True))
    return shown
