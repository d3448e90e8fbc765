"""Plain words: what they are taken for, on made-up embeddings; how the guide's own examples fare is `bench guide`'s."""

import numpy as np
import pytest

from sextant.bundles.manifest import LatentSpace
from sextant.contract.events import Event, Result
from sextant.contract.media import Latent
from sextant.contract.v1 import generation_pb2, generation_pb2_grpc, guide_pb2, guide_pb2_grpc
from sextant.gateway.guide.intent import class_named, examples, meaning
from sextant.gateway.guide.schema import default_guide_path, load_guide
from tests.conftest import ROOT
from tests.gateway.scripted import ScriptedDispatcher, serving
from tests.gateway.test_errors import details_of
from tests.gateway.test_guide import LATENT, MODELS, TEXT, E, model

GUIDE = """intent:
  encoder: words
  elsewhere: [weather]
rows:
  - {name: pictures, task: generate, output: image, families: [diffusion], reason: x, examples: [picture]}
  - {name: hurry, task: generate, output: image, priority: speed, families: [gan], reason: x, examples: [quick]}
  - {name: likely, task: score, families: [flow], reason: x, examples: [likely]}
"""
DIRECTIONS = {"picture": 0, "quick": 1, "likely": 2, "weather": 3}
WORDS = model("words", "transformer", (E,), (TEXT,), (LATENT,), space="words")


def embedded(text: str) -> np.ndarray:
    """The sum of the directions of the words that are known; the last one for what is not."""
    vector = np.zeros(6, np.float32)
    for word in text.split():
        vector[DIRECTIONS.get(word, 5)] += 1
    return vector


async def script(request, stats):
    stats.started_s = 0.0
    yield ()
    if request.model == "words":
        for task in request.tasks:
            yield (Event(0, Result(task.index, Latent("words", embedded(task.source.content)))),)


@pytest.fixture
def dispatcher() -> ScriptedDispatcher:
    assert WORDS.manifest.latent_spaces == (LatentSpace(id="words", shape=(2,)),)
    return ScriptedDispatcher({**MODELS, "words": WORDS}, script)


@pytest.fixture
def path(tmp_path):
    written = tmp_path / "guide.yaml"
    written.write_text(GUIDE)
    return written


async def decide(channel, words: str, **fields) -> guide_pb2.Decision:
    request = guide_pb2.DecideRequest(intent=words, **fields)
    return (await guide_pb2_grpc.GuideStub(channel).Decide(request)).decision


async def refusal(call) -> dict[str, str]:
    import grpc

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    return {v.field: v.description for v in details_of(caught.value)["BadRequest"].field_violations}


async def test_the_guide_tells_what_it_understood_and_how_sure_it_is(dispatcher, path):
    async with serving(dispatcher, guide=path) as (channel, _):
        decision = await decide(channel, "quick")
        assert (decision.understood.row, decision.understood.line) == ("hurry", 6)
        assert (decision.rule.name, decision.choice.model) == ("hurry", "stylegan")
        assert 0.6 < decision.understood.confidence <= 1.0
        assert (await decide(channel, "likely")).understood.task == 6
        assert (await decide(channel, "quick", task=6)).understood.row == "", "an explicit request is not read"


async def test_examples_are_embedded_once_for_each_guide(dispatcher, path):
    async with serving(dispatcher, guide=path) as (channel, _):
        for _ in range(3):
            await decide(channel, "quick")
    assert [len(request.tasks) for request in dispatcher.requests] == [4, 1, 1, 1]


async def test_words_between_two_rows_or_near_to_none_or_meant_for_nothing_are_refused_with_the_nearest(
    dispatcher, path
):
    async with serving(dispatcher, guide=path) as (channel, _):
        between = await refusal(decide(channel, "picture quick"))
        assert "pictures (" in between["intent"]
        assert "hurry (" in between["intent"]
        assert "not clear enough" in (await refusal(decide(channel, "unheard")))["intent"]
        assert "not clear enough" in (await refusal(decide(channel, "weather")))["intent"]
        assert "longer than 1000" in (await refusal(decide(channel, "x" * 1001)))["intent"]


async def test_words_that_mean_another_task_than_the_methods_are_refused(dispatcher, path):
    async with serving(dispatcher, guide=path) as (channel, _):
        request = generation_pb2.GenerateRequest(options=generation_pb2.Options(intent="likely"))
        call = generation_pb2_grpc.GenerationStub(channel).Generate(request)

        async def read():
            return [event async for event in call]

        assert "means to score" in (await refusal(read()))["options.intent"]


async def test_words_cannot_be_read_where_their_encoder_is_not_served(path):
    async with serving(ScriptedDispatcher(MODELS, script), guide=path) as (channel, _):
        assert "'words' to be served" in (await refusal(decide(channel, "quick")))["intent"]


@pytest.mark.parametrize(
    ("words", "label"),
    [
        ("a quick picture of a boot", "ankle boot"),
        ("two ankle boots", "ankle boot"),
        ("a T-shirt please", "t-shirt"),
        ("one shirt", "shirt"),
        ("dresses", "dress"),
        ("sneakers!", "sneaker"),
        ("say the number seven", "7"),
        ("a boot and a bag", ""),
        ("a reboot", ""),
        ("three or four", ""),
        ("", ""),
    ],
)
def test_a_class_is_found_in_the_words_where_exactly_one_is_named(words, label):
    labels = ["t-shirt", "trouser", "dress", "sandal", "shirt", "sneaker", "bag", "ankle boot", "7", "3", "4"]
    assert class_named(words, labels) == label


def test_every_example_of_the_shipped_guide_is_taken_for_its_own_row():
    guide = load_guide(default_guide_path())
    rng = np.random.default_rng(0)
    from sextant.gateway.guide.intent import phrases

    said = phrases(guide)
    vectors = rng.normal(size=(len(said), 384)).astype(np.float32)
    known = examples(guide, vectors)
    for (_, number), vector in zip(said, vectors, strict=True):
        found = meaning(known, vector, guide.intent)
        assert (found.row.name if found.row else None) == (guide.rows[number].name if number >= 0 else None)


def test_held_out_phrases_are_not_among_the_examples():
    guide = load_guide(default_guide_path())
    taught = {phrase.casefold().strip(" ?.!") for row in guide.rows for phrase in row.examples}
    taught |= {phrase.casefold() for phrase in guide.intent.elsewhere}
    names = {row.name for row in guide.rows}
    for file, fewest in (("held_out", 120), ("dev", 60)):
        lines = (ROOT / f"tests/data/intents/{file}.tsv").read_text().splitlines()
        said = [line.split("\t") for line in lines if not line.startswith("#")]
        assert {row for row, _ in said} <= names | {"-"}
        assert sum(row != "-" for row, _ in said) >= fewest
        assert not {phrase.casefold().strip(" ?.!") for _, phrase in said} & taught
