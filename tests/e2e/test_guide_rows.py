"""Every row of the guide through the real platform: what is asked for, and who the receipt says answered it."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from sextant.contract.v1 import generation_pb2, generation_pb2_grpc, guide_pb2, media_pb2
from sextant.contract.wire_enums import NAME_OF_FAMILY
from sextant.gateway.guide.schema import default_guide_path, load_guide
from tests.conftest import MASKED_MODEL, SENTENCE_MODEL, TEXT_MODEL
from tests.e2e.test_one_step import FASHION, ROOT, picture, refused, results

NONE, QUALITY, SPEED, SMOOTH, EXACT, READABLE = range(6)  # the priorities, as guide.proto numbers them
TEXT, IMAGE, AUDIO, MUSIC, TABLE, LATENT = (
    media_pb2.MODALITY_TEXT,
    media_pb2.MODALITY_IMAGE,
    media_pb2.MODALITY_AUDIO,
    media_pb2.MODALITY_MUSIC,
    media_pb2.MODALITY_TABLE,
    media_pb2.MODALITY_LATENT,
)
CLOTHES = picture(FASHION["images"][0])
WORDS = media_pb2.Media(text=media_pb2.Text(content="the cat sings"))
BLANK = media_pb2.Media(text=media_pb2.Text(content="the [MASK] sings"))
GUIDE = {row.name: row for row in load_guide(default_guide_path()).rows}
Ask = Callable[[Any, dict[str, Any]], Any]


def options(priority: int = NONE, model: str = "", **guarantees: Any) -> generation_pb2.Options:
    return generation_pb2.Options(model=model, priority=priority, seed=3, guarantees=guarantees or None)


def generate(priority: int = NONE, *, label: str = "", model: str = "", guarantees: Any = None, **fields: Any) -> Ask:
    request = generation_pb2.GenerateRequest(options=options(priority, model, **(guarantees or {})), **fields)
    request.conditions.class_label = label
    return lambda stubs, made: list(stubs.generation.Generate(request))[-1].receipt


def words(priority: int = NONE, **fields: Any) -> Ask:
    return generate(priority, prompt="Hi", text=generation_pb2.TextParameters(max_tokens=2), **fields)


def transform(source: Any, priority: int = NONE, model: str = "", **attributes: str) -> Ask:
    def ask(stubs: Any, made: dict[str, Any]) -> Any:
        given = made[source] if isinstance(source, str) else source
        conditions = generation_pb2.Conditions(attributes=attributes)
        request = generation_pb2.TransformRequest(options=options(priority, model), source=given, conditions=conditions)
        return list(stubs.generation.Transform(request))[-1].receipt

    return ask


def interpolate(priority: int = NONE, model: str = "", **ends: Any) -> Ask:
    request = generation_pb2.InterpolateRequest(options=options(priority, model), frames=2, **ends)
    return lambda stubs, made: list(stubs.generation.Interpolate(request))[-1].receipt


def encode(item: Any, priority: int = NONE, model: str = "") -> Ask:
    def ask(stubs: Any, made: dict[str, Any]) -> Any:
        items = [made[item] if isinstance(item, str) else item]
        return stubs.generation.Encode(
            generation_pb2.EncodeRequest(options=options(priority, model), items=items)
        ).receipt

    return ask


def decode(encoder: str, priority: int = NONE, model: str = "") -> Ask:
    def ask(stubs: Any, made: dict[str, Any]) -> Any:
        few = generation_pb2.GanParameters(inversion_steps=2) if "gan" in encoder else None
        code = stubs.generation.Encode(
            generation_pb2.EncodeRequest(options=options(model=encoder), items=[CLOTHES], gan=few)
        ).latents
        return stubs.generation.Decode(
            generation_pb2.DecodeRequest(options=options(priority, model), latents=code)
        ).receipt

    return ask


def score(item: Any, priority: int = NONE, model: str = "", label: str = "", **guarantees: Any) -> Ask:
    def ask(stubs: Any, made: dict[str, Any]) -> Any:
        items = [made[item] if isinstance(item, str) else item]
        request = generation_pb2.ScoreRequest(options=options(priority, model, **guarantees), items=items)
        request.conditions.class_label = label
        return stubs.generation.Score(request).receipt

    return ask


EMOJI = media_pb2.Media(
    image=media_pb2.Image(
        format=media_pb2.IMAGE_FORMAT_PNG, data=(ROOT / "services/sextant/samples/noto-tulip.png").read_bytes()
    )
)
FEW = generation_pb2.DiffusionParameters(steps=2)
# What is asked, the row that fires, the family, and the model where it is one alone.
ROWS: list[tuple[Ask, str, str, str]] = [
    (words(), "text", "transformer", TEXT_MODEL),
    (words(SPEED), "text", "transformer", TEXT_MODEL),
    (words(QUALITY), "text", "transformer", TEXT_MODEL),
    (words(output=TEXT), "text", "transformer", TEXT_MODEL),
    (generate(output=IMAGE), "image-quality", "diffusion", "fashion-diffusion"),
    (generate(QUALITY, output=IMAGE), "image-quality", "diffusion", "fashion-diffusion"),
    (generate(QUALITY, output=IMAGE, label="bag"), "image-quality", "diffusion", "fashion-diffusion"),
    (generate(output=IMAGE, guarantees={"exact_likelihood": True}), "image-quality", "autoregressive", ""),
    (generate(output=IMAGE, guarantees={"deterministic": True}), "image-quality", "diffusion", ""),
    (generate(output=IMAGE, diffusion=FEW), "image-quality", "diffusion", "fashion-diffusion"),
    (generate(output=IMAGE, vae=generation_pb2.VaeParameters(temperature=0.5)), "image-quality", "vae", ""),
    (generate(output=IMAGE, flow=generation_pb2.FlowParameters(temperature=0.5)), "image-quality", "flow", ""),
    (generate(output=IMAGE, size={"width_px": 64, "height_px": 64}), "image-quality", "gan", "faces-stylegan"),
    (generate(SPEED, output=IMAGE), "image-speed", "gan", ""),
    (generate(SPEED, output=IMAGE, label="bag"), "image-speed", "gan", "fashion-biggan"),
    (generate(SPEED, output=IMAGE, guarantees={"exact_likelihood": True}), "image-speed", "flow", "fashion-glow"),
    (generate(SMOOTH, output=IMAGE), "image-smooth", "vae", "fashion-cvae"),
    (generate(SMOOTH, output=IMAGE, label="Bag"), "image-smooth", "vae", "fashion-cvae"),
    (generate(EXACT, output=IMAGE), "image-exact", "flow", "fashion-glow"),
    (generate(EXACT, output=IMAGE, label="bag"), "image-exact", "autoregressive", "fashion-pixelcnn"),
    (generate(READABLE, output=IMAGE), "image-interpretable", "vae", "fashion-cvae"),
    (generate(output=AUDIO), "audio", "autoregressive", "digits-wavenet"),
    (generate(QUALITY, output=AUDIO, label="7"), "audio", "autoregressive", "digits-wavenet"),
    (generate(SPEED, output=AUDIO), "audio-speed", "autoregressive", "digits-wavenet"),
    (generate(output=MUSIC), "music", "diffusion", "bach-diffusion"),
    (generate(SPEED, output=MUSIC), "music", "diffusion", "bach-diffusion"),
    (generate(output=TABLE), "table", "flow", ""),
    (generate(EXACT, output=TABLE), "table", "flow", ""),
    (generate(), "anything", "diffusion", "fashion-diffusion"),
    (generate(label="sneaker"), "anything", "diffusion", "fashion-diffusion"),
    (generate(gan=generation_pb2.GanParameters(truncation=0.5)), "anything", "gan", ""),
    (generate(SPEED), "anything-speed", "gan", ""),
    (generate(SPEED, label="sneaker"), "anything-speed", "gan", "fashion-biggan"),
    (transform(EMOJI, direction="noto-to-fluent"), "image-translation", "gan", "emoji-cyclegan"),
    (transform(EMOJI, SPEED, direction="fluent-to-noto"), "image-translation", "gan", "emoji-cyclegan"),
    (transform(BLANK), "fill-blanks", "transformer", MASKED_MODEL),
    (transform("music", keep="soprano"), "transform", "diffusion", "bach-diffusion"),
    (interpolate(), "interpolate", "vae", "fashion-cvae"),
    (interpolate(SPEED), "interpolate", "vae", ""),
    (interpolate(start=CLOTHES, end=picture(FASHION["images"][1])), "interpolate", "vae", "fashion-vae"),
    (encode(WORDS), "embedding", "transformer", SENTENCE_MODEL),
    (encode(WORDS, QUALITY), "embedding", "transformer", SENTENCE_MODEL),
    (encode(CLOTHES), "encode", "vae", "fashion-vae"),
    (encode(CLOTHES, SPEED), "encode", "vae", ""),
    (encode(CLOTHES, EXACT), "encode-exact", "flow", "fashion-glow"),
    (decode("fashion-glow"), "decode", "flow", "fashion-glow"),
    (decode("fashion-vae"), "decode", "vae", "fashion-vae"),
    (decode("fashion-dcgan", SPEED), "decode", "gan", "fashion-dcgan"),
    (score(WORDS), "score-text", "transformer", TEXT_MODEL),
    (score(CLOTHES), "score", "flow", "fashion-glow"),
    (score(CLOTHES, SPEED), "score", "flow", "fashion-glow"),
    (score("audio", label="7"), "score", "autoregressive", "digits-wavenet"),
]


@pytest.fixture(scope="module")
def made(platform) -> dict[str, media_pb2.Media]:
    """A piece of music and a spoken digit, as the platform itself makes them."""
    found = {}
    with grpc.insecure_channel(platform.target) as channel:
        stub = generation_pb2_grpc.GenerationStub(channel)
        for name, model in (("music", "bach-diffusion"), ("audio", "digits-wavenet")):
            request = generation_pb2.GenerateRequest(options=options(model=model))
            found[name] = results(stub.Generate(request))[0]
    return found


@pytest.mark.parametrize(("ask", "row", "family", "model"), ROWS, ids=[f"{n}-{r[1]}" for n, r in enumerate(ROWS)])
def test_a_row_of_the_guide_brings_the_family_that_it_names_first(stubs, made, ask, row, family, model):
    receipt = ask(stubs, made)
    assert (receipt.decision.rule.name, receipt.decision.rule.line) == (row, GUIDE[row].line)
    assert receipt.model == receipt.decision.choice.model
    assert NAME_OF_FAMILY[receipt.family] == family
    assert family in GUIDE[row].families
    assert model in ("", receipt.model)


def test_every_row_of_the_guide_was_reached():
    assert {row for _, row, _, _ in ROWS} == set(GUIDE)


IMPOSSIBLE = {
    "no model draws a latent out of nothing": generate(output=LATENT),
    "no model has that class": generate(output=IMAGE, label="submarine"),
    "no model of sound has that class": generate(output=AUDIO, label="bag"),
    "pictures are not made of words here": generate(output=IMAGE, prompt="a boot"),
    "music has no exact likelihood": generate(output=MUSIC, guarantees={"exact_likelihood": True}),
    "text has no latent space": words(output=TEXT, guarantees={"latent_space": "fashion-vae"}),
    "no model makes pictures so large": generate(output=IMAGE, size={"width_px": 4096}),
    "sound is not encoded": encode("audio"),
    "music is not scored": score("music"),
    "music is not scored in a hurry either": score("music", SPEED),
    "sound is not transformed": transform("audio"),
    "a table is no picture": generate(output=TABLE, label="bag"),
    "smooth pictures of a class, exactly": generate(
        SMOOTH, output=IMAGE, label="bag", guarantees={"exact_likelihood": True}
    ),
}


@pytest.mark.parametrize("ask", IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_what_no_model_can_do_is_refused_with_every_models_reason(stubs, made, ask):
    with pytest.raises(grpc.RpcError) as caught:
        ask(stubs, made)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "row" in caught.value.details().lower()


HONOURED = [
    (generate(SPEED, output=IMAGE, model="fashion-diffusion"), "fashion-diffusion"),
    (generate(QUALITY, output=IMAGE, model="fashion-vae"), "fashion-vae"),
    (generate(EXACT, output=IMAGE, model="fashion-dcgan"), "fashion-dcgan"),
    (generate(model="fashion-pixelcnn", label="bag"), "fashion-pixelcnn"),
    (encode(CLOTHES, EXACT, model="fashion-vae"), "fashion-vae"),
    (score(CLOTHES, model="fashion-diffusion"), "fashion-diffusion"),
    (score(CLOTHES, model="fashion-pixelcnn"), "fashion-pixelcnn"),
    (interpolate(model="fashion-glow"), "fashion-glow"),
    (words(model=TEXT_MODEL), TEXT_MODEL),
]


@pytest.mark.parametrize(("ask", "model"), HONOURED, ids=[model for _, model in HONOURED])
def test_a_model_that_is_named_answers_whatever_the_guide_prefers(stubs, made, ask, model):
    receipt = ask(stubs, made)
    assert receipt.model == model
    assert not receipt.decision.HasField("rule")


@pytest.mark.parametrize(
    ("ask", "code", "reason"),
    [
        (score(CLOTHES, model="fashion-dcgan"), grpc.StatusCode.FAILED_PRECONDITION, "does not score"),
        (encode(CLOTHES, model="fashion-diffusion"), grpc.StatusCode.FAILED_PRECONDITION, "does not encode"),
        (interpolate(model="fashion-pixelcnn"), grpc.StatusCode.FAILED_PRECONDITION, "does not interpolate"),
        (generate(output=IMAGE, model=SENTENCE_MODEL), grpc.StatusCode.FAILED_PRECONDITION, "does not generate"),
        (generate(output=MUSIC, model="fashion-vae"), grpc.StatusCode.FAILED_PRECONDITION, "does not make music"),
        (
            score(CLOTHES, model="fashion-vae", exact_likelihood=True),
            grpc.StatusCode.FAILED_PRECONDITION,
            "no exact likelihood",
        ),
        (generate(model="nobody"), grpc.StatusCode.NOT_FOUND, "nobody"),
    ],
)
def test_a_model_that_is_named_and_cannot_is_refused_with_the_reason(stubs, made, ask, code, reason):
    with pytest.raises(grpc.RpcError) as caught:
        ask(stubs, made)
    assert caught.value.code() is code
    assert reason in caught.value.details()


@pytest.mark.parametrize(
    ("phrase", "row", "family", "label"),
    [
        ("a quick picture of a boot", "image-speed", "gan", "ankle boot"),
        ("compose a piece of music", "music", "diffusion", ""),
        ("tell me a story about a lighthouse keeper", "text", "transformer", ""),
    ],
)
def test_plain_words_are_answered_as_if_they_had_been_fields(stubs, phrase, row, family, label):
    request = generation_pb2.GenerateRequest(options=generation_pb2.Options(intent=phrase, seed=3))
    if row == "text":
        request.text.max_tokens = 2
    receipt = list(stubs.generation.Generate(request))[-1].receipt
    assert receipt.decision.rule.name == row
    assert NAME_OF_FAMILY[receipt.family] == family
    understood = receipt.decision.understood
    assert (understood.row, understood.class_label) == (row, label)
    assert understood.confidence > 0.6


def test_plain_words_that_mean_nothing_here_are_refused_and_so_are_those_for_another_method(stubs):
    def ask(phrase: str) -> tuple[grpc.StatusCode, dict[str, str]]:
        request = generation_pb2.GenerateRequest(options=generation_pb2.Options(intent=phrase))
        return refused(lambda: stubs.generation.Generate(request))

    for phrase, reason in (("vacuum the living room", "not clear enough"), ("how likely is this record", "to score")):
        code, fields = ask(phrase)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert reason in fields["options.intent"]


def test_plain_words_are_not_read_where_the_request_is_explicit(stubs):
    for explicit in (options(model="fashion-vae"), options(SPEED), options(deterministic=True)):
        explicit.intent = "vacuum the living room"
        request = generation_pb2.GenerateRequest(options=explicit)
        receipt = list(stubs.generation.Generate(request))[-1].receipt
        assert not receipt.decision.HasField("understood")


def test_the_guide_understands_any_task_in_plain_words(stubs):
    request = guide_pb2.DecideRequest(intent="how likely is this record")
    decision = stubs.guide.Decide(request).decision
    assert decision.understood.row == "score"
    assert decision.rule.name == "score"
    code, fields = refused(lambda: stubs.guide.Decide(guide_pb2.DecideRequest(intent="water the plants")))
    assert (code, set(fields)) == (grpc.StatusCode.INVALID_ARGUMENT, {"intent"})


def test_the_receipt_tells_the_tier_and_a_deadline_lets_the_guide_choose_it(stubs):
    request = generation_pb2.GenerateRequest(options=options(), output=IMAGE)
    receipt = list(stubs.generation.Generate(request))[-1].receipt
    assert (receipt.tier.name, receipt.tier.set_for_deadline) == ("dpm-solver++2m/20", False)
    assert receipt.items[0].steps == receipt.tier.steps == 20
    seldom = guide_pb2.DecideRequest(task=1, output=IMAGE, deadline_s=1000.0)
    decision = stubs.guide.Decide(seldom).decision
    assert decision.choice.quality >= max(other.quality for other in decision.alternatives)
    hasty = guide_pb2.DecideRequest(task=1, output=IMAGE, deadline_s=1e-6)
    decision = stubs.guide.Decide(hasty).decision
    assert "nothing is expected within" in decision.explanation
    assert {r.reason for r in decision.rejections} >= {guide_pb2.REJECTION_REASON_DEADLINE}
    assert any(other.change.endswith("more") for other in decision.counterfactuals)


def test_steps_that_are_asked_for_are_never_overridden_for_a_deadline(stubs):
    request = generation_pb2.GenerateRequest(options=options(), output=IMAGE, diffusion=FEW)
    receipt = list(stubs.generation.Generate(request, timeout=60.0))[-1].receipt
    assert (receipt.model, receipt.items[0].steps) == ("fashion-diffusion", 2)
    assert (receipt.tier.steps, receipt.tier.set_for_deadline) == (2, False)
