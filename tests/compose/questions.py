"""One request for every family, and what its answer is apart from the time that it took."""

import hashlib

from sextant.client import Client
from sextant.contract.v1 import generation_pb2

TIMEOUT_S = 240.0


def _request(
    model: str, count: int = 1, label: str = "", prompt: str = "", **parameters
) -> generation_pb2.GenerateRequest:
    options = generation_pb2.Options(model=model, seed=7)
    conditions = generation_pb2.Conditions(class_label=label)
    request = generation_pb2.GenerateRequest(options=options, count=count, conditions=conditions, **parameters)
    if prompt:
        request.prompt = prompt
    return request


# By family; a hybrid is run by the gateway, on the replicas of two others.
QUESTIONS = {
    "transformer": _request("us-phonemes", prompt="serendipity"),
    "gan": _request("fashion-dcgan", 4),
    "vae": _request("fashion-cvae", 4, "sneaker"),
    "flow": _request("fashion-glow", 2),
    "diffusion": _request("fashion-diffusion", 1, "bag"),
    "autoregressive": _request("fashion-pixelcnn", 1),
    "hybrid": _request("fashion-refined", 1, "bag"),
}
STORY = _request("smollm2-135m-instruct", prompt="Tell me of a lighthouse.")
STORY.text.max_tokens = 60


def answer(client: Client, question: generation_pb2.GenerateRequest) -> str:
    """The sha256 of the answer: each item's text and sound as they came, and its result. Raises `ClientError`."""
    made: dict[int, bytes] = {}
    stream = client.generate(question, timeout=TIMEOUT_S)
    for event in stream.raw():
        kind = event.WhichOneof("event")
        if kind == "chunk":  # how an item is cut into chunks is a matter of time
            piece = event.chunk.text.content.encode() or event.chunk.audio.data
            made[event.chunk.item] = made.get(event.chunk.item, b"") + piece
        elif kind == "result":
            made[event.result.item] = made.get(event.result.item, b"") + event.result.SerializeToString(
                deterministic=True
            )
    assert stream.receipt is not None, "a whole answer ends with its receipt"
    assert len(made) == max(1, question.count), "and has every item"
    return hashlib.sha256(b"".join(made[item] for item in sorted(made))).hexdigest()
