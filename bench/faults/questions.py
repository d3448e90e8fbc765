"""What the load asks: requests of every family whose answers are the same every time."""

from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from sextant.contract.v1 import generation_pb2, media_pb2

# What each family serves here.
MODELS = {
    "transformer": ("us-phonemes", "smollm2-135m-instruct"),
    "gan": ("fashion-dcgan",),
    "vae": ("fashion-cvae", "fashion-vae"),
    "flow": ("fashion-glow", "moons-realnvp"),
    "diffusion": ("fashion-diffusion",),
    "autoregressive": ("fashion-pixelcnn", "digits-wavenet"),
    "hybrid": ("fashion-refined",),
}
FAMILIES = tuple(MODELS)
# The stages of the hybrid are models of these.
STAGES = ("vae", "diffusion")


@dataclass(frozen=True, slots=True)
class Question:
    """A request and the method that takes it."""

    family: str
    name: str
    method: str
    message: Message

    @property
    def key(self) -> str:
        """What tells it from all others."""
        return f"{self.family} {self.name}"


def questions(families: Sequence[str] = FAMILIES) -> list[Question]:
    """All questions to these families."""
    return [question for question in _all() if question.family in families]


def _all() -> list[Question]:
    pixels = bytes((7 * at) % 256 for at in range(28 * 28))
    picture = media_pb2.Image(
        data=pixels, format=media_pb2.IMAGE_FORMAT_RAW_UINT8, width_px=28, height_px=28, channels=1
    )
    image = media_pb2.Media(image=picture)
    text = generation_pb2.TextParameters
    return [
        _generate("transformer", "phonemes", "us-phonemes", prompt="serendipity"),
        _generate(
            "transformer",
            "story",
            "smollm2-135m-instruct",
            prompt="Tell me of a lighthouse.",
            text=text(max_tokens=32, temperature=0.8, ignore_end_of_text=True),
        ),
        _generate("gan", "pictures", "fashion-dcgan", count=4),
        Question(
            "gan", "path", "Interpolate", generation_pb2.InterpolateRequest(options=_options("fashion-dcgan"), frames=8)
        ),
        _generate("vae", "sneakers", "fashion-cvae", count=4, label="sneaker"),
        Question(
            "vae", "encoding", "Encode", generation_pb2.EncodeRequest(options=_options("fashion-vae"), items=[image])
        ),
        _generate("flow", "pictures", "fashion-glow", count=2),
        _generate("flow", "points", "moons-realnvp", count=16),
        Question(
            "flow", "score", "Score", generation_pb2.ScoreRequest(options=_options("fashion-glow"), items=[image])
        ),
        _generate(
            "diffusion",
            "bag",
            "fashion-diffusion",
            label="bag",
            diffusion=generation_pb2.DiffusionParameters(steps=10, preview_every_steps=2),
        ),
        _generate("autoregressive", "picture", "fashion-pixelcnn"),
        _generate("autoregressive", "digit", "digits-wavenet", label="3"),
        _generate("hybrid", "bag", "fashion-refined", label="bag"),
    ]


def _options(model: str) -> generation_pb2.Options:
    return generation_pb2.Options(model=model, seed=7)


def _generate(family: str, name: str, model: str, *, label: str = "", **fields: object) -> Question:
    message = generation_pb2.GenerateRequest(options=_options(model), **fields)  # type: ignore[arg-type]
    if label:
        message.conditions.class_label = label
    return Question(family, name, "Generate", message)
