"""Requests for models, built from plain arguments; shared by both clients. `InvalidArgument`: it cannot be sent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypedDict, cast

from sextant.client.errors import invalid
from sextant.client.fields import blaming, named, set_field
from sextant.client.inputs import Content, media_of, medium, picture
from sextant.contract.codecs import AudioFormat, ImageFormat
from sextant.contract.media import Latent, Modality
from sextant.contract.options import PRIORITY_TO_WIRE, Priority
from sextant.contract.tasks import (
    AutoregressiveParameters,
    ChatMessage,
    CodeParameters,
    Conditions,
    DiffusionParameters,
    DiffusionSampler,
    FlowParameters,
    GanParameters,
    HybridParameters,
    InterpolationPath,
    TextParameters,
    VaeParameters,
)
from sextant.contract.to_wire import latent_message
from sextant.contract.v1 import generation_pb2
from sextant.contract.wire_enums import (
    AUDIO_FORMAT_TO_WIRE,
    DIFFUSION_SAMPLER_TO_WIRE,
    IMAGE_FORMAT_TO_WIRE,
    INTERPOLATION_PATH_TO_WIRE,
    MODALITY_TO_WIRE,
    ROLE_TO_WIRE,
)

Prompt = str | Sequence[ChatMessage]


class CallOptions(TypedDict, total=False):
    """Who should answer, and how; what is left out is the caller's silence."""

    model: str
    # One of `sextant.contract.options.Priority`.
    priority: Priority | str | None
    # Drawn by the server where it is left out, and told in the receipt.
    seed: int | None
    request_id: str
    # What must hold.
    deterministic: bool
    exact_likelihood: bool
    latent_space: str
    # Where the deadline comes first: the best estimate so far, marked so, instead of the error.
    partial_on_deadline: bool
    # What is wanted in plain words; read only where neither model, output, priority nor a guarantee is given.
    intent: str


class ConditionOptions(CallOptions, total=False):
    """The same, and what the result should be like, or what the given is.

    `class_label` goes before the label of `conditions`, and `attributes` are added to theirs.
    """

    conditions: Conditions | None
    class_label: str | None
    attributes: Mapping[str, str] | None


class EncodingOptions(TypedDict, total=False):
    """How pictures and sounds of the answer should be encoded; PNG and WAV where nothing is said."""

    image_format: ImageFormat | str | None
    audio_format: AudioFormat | str | None


class TextOptions(CallOptions, total=False):
    """How a language model samples; what is left out (or None) is the model's own default."""

    count: int
    max_tokens: int | None
    temperature: float | None
    top_k: int | None
    top_p: float | None
    min_p: float | None
    repetition_penalty: float | None
    stop: Sequence[str]
    logprobs: int | None
    continue_prompt: bool
    ignore_end_of_text: bool
    # Sequence to sequence: above 1 a beam search.
    beams: int | None


class GenerateOptions(TextOptions, ConditionOptions, EncodingOptions, total=False):
    """What can be asked of something to be made; 0 and None take the model's own. Parameters are of one family."""

    output: Modality | str | None
    width_px: int
    height_px: int
    duration_s: float
    rows: int
    gan: GanParameters | None
    vae: VaeParameters | None
    flow: FlowParameters | None
    diffusion: DiffusionParameters | None
    autoregressive: AutoregressiveParameters | None
    codes: CodeParameters | None
    hybrid: HybridParameters | None


class TransformOptions(ConditionOptions, EncodingOptions, total=False):
    """How something given is to be changed."""

    prompt: str
    # Where a picture is to be changed: white is changed, black is kept.
    mask: Content | None
    # How far to depart from the source, above 0 to 1.
    strength: float | None
    count: int
    # For a text with blanks: how many candidates to report for each.
    candidates: int | None
    gan: GanParameters | None
    diffusion: DiffusionParameters | None
    autoregressive: AutoregressiveParameters | None
    codes: CodeParameters | None
    hybrid: HybridParameters | None


class InterpolateOptions(ConditionOptions, EncodingOptions, total=False):
    """How to walk from the start to the end."""

    # With both ends; 16 where it is left out.
    frames: int | None
    # One of `sextant.contract.tasks.InterpolationPath`.
    path: InterpolationPath | str | None
    # The one coordinate that moves: to its value at the end, or from -3 to 3 where no end is given.
    traverse_index: int | None


class EncodeOptions(ConditionOptions, total=False):
    """How items are to be encoded."""

    gan: GanParameters | None


class DecodeOptions(ConditionOptions, EncodingOptions, total=False):
    """How latents are to be decoded."""


class ScoreOptions(ConditionOptions, total=False):
    """How items are to be scored."""

    vae: VaeParameters | None
    diffusion: DiffusionParameters | None


_SAMPLING = frozenset(TextOptions.__annotations__) - frozenset(CallOptions.__annotations__) - {"count"}
_SIZE = ("width_px", "height_px", "duration_s", "rows")
_FAMILIES = ("gan", "vae", "flow", "diffusion", "autoregressive", "codes")
_NAMES: Mapping[type, str] = {
    TextParameters: "text",
    GanParameters: "gan",
    VaeParameters: "vae",
    FlowParameters: "flow",
    DiffusionParameters: "diffusion",
    AutoregressiveParameters: "autoregressive",
    CodeParameters: "codes",
}


def options(given: CallOptions) -> generation_pb2.Options:
    """The options that every request carries."""
    message = generation_pb2.Options()
    for name in ("model", "seed", "request_id", "partial_on_deadline", "intent"):
        set_field(message, name, given.get(name), f"options.{name}")
    if (priority := given.get("priority")) is not None:
        message.priority = PRIORITY_TO_WIRE[named(Priority, priority, "options.priority")]
    for name in ("deterministic", "exact_likelihood", "latent_space"):
        set_field(message.guarantees, name, given.get(name), f"options.guarantees.{name}")
    return message


def text_request(prompt: Prompt, given: TextOptions) -> generation_pb2.GenerateRequest:
    """A prompt, or a conversation, to be answered in text."""
    message = generate_request(prompt, cast(GenerateOptions, given))
    message.text.SetInParent()
    if not given.get("model"):
        message.output = MODALITY_TO_WIRE[Modality.TEXT]
    return message


def generate_request(prompt: Prompt | None, given: GenerateOptions) -> generation_pb2.GenerateRequest:
    """Something to be made."""
    message = generation_pb2.GenerateRequest(options=options(given))
    if isinstance(prompt, str):
        set_field(message, "prompt", prompt, "prompt")
    elif prompt is not None:
        message.chat.SetInParent()
        for index, said in enumerate(prompt):
            turn = message.chat.messages.add(role=ROLE_TO_WIRE[said.role])
            set_field(turn, "content", said.content, f"chat.messages[{index}].content")
    if (output := given.get("output")) is not None:
        message.output = MODALITY_TO_WIRE[named(Modality, output, "output")]
    set_field(message, "count", given.get("count"), "count")
    for name in _SIZE:
        set_field(message.size, name, given.get(name) or None, f"size.{name}")
    for name, value in given.items():
        if name in _SAMPLING:
            set_field(message.text, name, value or None if name == "stop" else value, f"text.{name}")
    _family_parameters(message, given)
    _condition(message, given)
    _encoding(message, given)
    return message


def transform_request(source: Content, given: TransformOptions) -> generation_pb2.TransformRequest:
    """Something to change; a string is a text with blanks."""
    message = generation_pb2.TransformRequest(options=options(given), source=medium(source, "source"))
    for name in ("prompt", "strength", "count"):
        set_field(message, name, given.get(name), name)
    set_field(message.fill_mask, "candidates", given.get("candidates"), "fill_mask.candidates")
    if (mask := given.get("mask")) is not None:
        message.mask.CopyFrom(picture(mask, "mask"))
    _family_parameters(message, given)
    _condition(message, given)
    _encoding(message, given)
    return message


def interpolate_request(
    start: Content | None, end: Content | None, given: InterpolateOptions
) -> generation_pb2.InterpolateRequest:
    """A path to walk; ends that are None are drawn from the seed."""
    message = generation_pb2.InterpolateRequest(options=options(given))
    if start is not None:
        message.start.CopyFrom(medium(start, "start"))
    if end is not None:
        message.end.CopyFrom(medium(end, "end"))
    for name in ("frames", "traverse_index"):
        set_field(message, name, given.get(name), name)
    if (path := given.get("path")) is not None:
        message.path = INTERPOLATION_PATH_TO_WIRE[named(InterpolationPath, path, "path")]
    _condition(message, given)
    _encoding(message, given)
    return message


def encode_request(items: Iterable[Content], given: EncodeOptions) -> generation_pb2.EncodeRequest:
    """Items to encode; strings are texts."""
    message = generation_pb2.EncodeRequest(options=options(given), items=media_of(items, "items"))
    _family_parameters(message, given)
    _condition(message, given)
    return message


def decode_request(latents: Iterable[Latent], given: DecodeOptions) -> generation_pb2.DecodeRequest:
    """Latents to decode."""
    message = generation_pb2.DecodeRequest(options=options(given))
    for index, latent in enumerate(latents):
        if not isinstance(latent, Latent):
            raise invalid(f"latents[{index}]", f"must be a Latent, which names its space, not {type(latent).__name__}")
        with blaming(f"latents[{index}]"):
            message.latents.append(latent_message(latent))
    _condition(message, given)
    _encoding(message, given)
    return message


def score_request(items: Iterable[Content], context: str, given: ScoreOptions) -> generation_pb2.ScoreRequest:
    """Items to score; strings are texts."""
    message = generation_pb2.ScoreRequest(options=options(given), items=media_of(items, "items"))
    set_field(message, "context", context, "context")
    _family_parameters(message, given)
    _condition(message, given)
    return message


def _family_parameters(message: Any, given: Mapping[str, Any]) -> None:
    """The parameters of a family; those of a second one, which protobuf would silently take instead, are refused."""
    for name in _FAMILIES:
        parameters = given.get(name)
        if parameters is None:
            continue
        if (other := message.WhichOneof("parameters")) is not None:
            raise invalid(name, f"excludes {other}: a request carries parameters of one family")
        _set_parameters(getattr(message, name), parameters, name)
    if (hybrid := given.get("hybrid")) is not None:
        if (other := message.WhichOneof("parameters")) is not None:
            raise invalid("hybrid", f"excludes {other}: a request carries parameters of one family")
        message.hybrid.SetInParent()
        for stage, parameters in hybrid.stages.items():
            name = _NAMES[type(parameters)]
            _set_parameters(getattr(message.hybrid.stages[stage], name), parameters, f"hybrid.stages[{stage}].{name}")


def _set_parameters(message: Any, parameters: Any, path: str) -> None:
    message.SetInParent()
    for key, value in asdict(parameters).items():
        if isinstance(value, DiffusionSampler):
            value = DIFFUSION_SAMPLER_TO_WIRE[value]
        set_field(message, key, value, f"{path}.{key}")


def _condition(message: Any, given: ConditionOptions) -> None:
    conditions = given.get("conditions") or Conditions()
    for label in (conditions.class_label, given.get("class_label")):
        set_field(message.conditions, "class_label", label or None, "conditions.class_label")
    with blaming("conditions.attributes"):
        for attributes in (conditions.attributes, given.get("attributes") or {}):
            message.conditions.attributes.update(attributes)
    for index, item in enumerate(conditions.media):
        message.conditions.media.append(medium(item, f"conditions.media[{index}]"))


def _encoding(message: Any, given: EncodingOptions) -> None:
    if (image := given.get("image_format")) is not None:
        message.encoding.image = IMAGE_FORMAT_TO_WIRE[named(ImageFormat, image, "encoding.image")]
    if (audio := given.get("audio_format")) is not None:
        message.encoding.audio = AUDIO_FORMAT_TO_WIRE[named(AudioFormat, audio, "encoding.audio")]
