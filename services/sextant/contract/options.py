"""What every request says of who should answer it, and of how the answer should be encoded."""

from dataclasses import dataclass
from enum import StrEnum

from sextant.contract.codecs import AudioFormat, ImageFormat
from sextant.contract.v1 import generation_pb2, guide_pb2
from sextant.contract.violations import Violations
from sextant.contract.wire_enums import AUDIO_FORMAT_FROM_WIRE, IMAGE_FORMAT_FROM_WIRE

AnyRequest = (
    generation_pb2.GenerateRequest
    | generation_pb2.TransformRequest
    | generation_pb2.InterpolateRequest
    | generation_pb2.EncodeRequest
    | generation_pb2.DecodeRequest
    | generation_pb2.ScoreRequest
)
EncodedRequest = (
    generation_pb2.GenerateRequest
    | generation_pb2.TransformRequest
    | generation_pb2.InterpolateRequest
    | generation_pb2.DecodeRequest
)

LONGEST_REQUEST_ID = 128
# As long as manifests allow; a longer name is refused rather than repeated in answers and logs.
LONGEST_MODEL_NAME = 64
LONGEST_LATENT_SPACE = 128
LONGEST_INTENT = 1000


class Priority(StrEnum):
    """What matters most to the caller, as the guide spells it."""

    QUALITY = "quality"
    SPEED = "speed"
    SMOOTH_INTERPOLATION = "smooth_interpolation"
    EXACT_LIKELIHOOD = "exact_likelihood"
    INTERPRETABLE_LATENT = "interpretable_latent"


PRIORITY_TO_WIRE = {
    Priority.QUALITY: guide_pb2.PRIORITY_QUALITY,
    Priority.SPEED: guide_pb2.PRIORITY_SPEED,
    Priority.SMOOTH_INTERPOLATION: guide_pb2.PRIORITY_SMOOTH_INTERPOLATION,
    Priority.EXACT_LIKELIHOOD: guide_pb2.PRIORITY_EXACT_LIKELIHOOD,
    Priority.INTERPRETABLE_LATENT: guide_pb2.PRIORITY_INTERPRETABLE_LATENT,
}
PRIORITY_FROM_WIRE = {wire: priority for priority, wire in PRIORITY_TO_WIRE.items()}


@dataclass(frozen=True, slots=True)
class Options:
    """Who should answer, and how. Empty strings and None are the caller's silence."""

    model: str = ""
    priority: Priority | None = None
    exact_likelihood: bool = False
    deterministic: bool = False
    latent_space: str = ""
    seed: int | None = None
    request_id: str = ""
    partial_on_deadline: bool = False
    intent: str = ""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the answer's pictures and sounds should be encoded."""

    image: ImageFormat = ImageFormat.PNG
    audio: AudioFormat = AudioFormat.WAV


def options_of(message: AnyRequest) -> Options:
    """The options of any request; `InvalidRequest` where one is malformed."""
    options, found = message.options, Violations()
    if options.priority and options.priority not in PRIORITY_FROM_WIRE:
        found.add("options.priority", f"{options.priority} is not a value of sextant.v1.Priority")
    if len(options.model) > LONGEST_MODEL_NAME:
        found.add("options.model", f"is longer than any name of a model, {LONGEST_MODEL_NAME} characters")
    if len(options.guarantees.latent_space) > LONGEST_LATENT_SPACE:
        found.add("options.guarantees.latent_space", f"is longer than any id, {LONGEST_LATENT_SPACE} characters")
    if len(options.intent) > LONGEST_INTENT:
        found.add("options.intent", f"is longer than {LONGEST_INTENT} characters")
    request_id = options.request_id
    if len(request_id) > LONGEST_REQUEST_ID or not (request_id.isascii() and request_id.isprintable()):
        found.add("options.request_id", f"must be printable ASCII, {LONGEST_REQUEST_ID} characters at most")
    found.raise_any()
    return Options(
        model=options.model,
        priority=PRIORITY_FROM_WIRE.get(options.priority),
        exact_likelihood=options.guarantees.exact_likelihood,
        deterministic=options.guarantees.deterministic,
        latent_space=options.guarantees.latent_space,
        seed=options.seed if options.HasField("seed") else None,
        request_id=request_id,
        partial_on_deadline=options.partial_on_deadline,
        intent=options.intent,
    )


def encoding_of(message: EncodedRequest) -> Encoding:
    """The encoding wanted for the answer: PNG and WAV where the request does not say."""
    image, audio, found = message.encoding.image, message.encoding.audio, Violations()
    if image and image not in IMAGE_FORMAT_FROM_WIRE:
        found.add("encoding.image", f"{image} is not a value of sextant.v1.ImageFormat")
    if audio and audio not in AUDIO_FORMAT_FROM_WIRE:
        found.add("encoding.audio", f"{audio} is not a value of sextant.v1.AudioFormat")
    found.raise_any()
    return Encoding(
        IMAGE_FORMAT_FROM_WIRE.get(image, ImageFormat.PNG),
        AUDIO_FORMAT_FROM_WIRE.get(audio, AudioFormat.WAV),
    )
