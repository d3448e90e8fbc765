"""What the client gives back: plain dataclasses, NumPy arrays and pictures of Pillow, never protobuf."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import PIL.Image
from google.protobuf.json_format import MessageToDict
from numpy.typing import NDArray

from sextant.contract.codecs import pillow_from_image
from sextant.contract.events import FinishReason, Progress, TokenAlternative, TokenLogProb
from sextant.contract.media import Audio, Image, Latent, Media, Modality, Table, Tensor
from sextant.contract.tasks import TaskKind
from sextant.contract.v1 import generation_pb2

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ItemUsage:
    """What one item used; `sha256` is of its content, in hexadecimal."""

    sha256: str
    steps: int
    prompt_tokens: int
    generated_tokens: int
    finish_reason: FinishReason = FinishReason.COMPLETE


@dataclass(frozen=True, slots=True)
class Choice:
    """A model of a decision: what is expected of it (0 where nothing was measured), or in `note` why it was left out.

    Of a counterfactual, `note` is the change that would make it the choice. `quality` is from 0 to 1.
    """

    model: str
    family: str
    note: str = ""
    predicted_latency_s: float = 0.0
    quality: float = 0.0
    # How it would run, as in "dpm-solver++2m/10"; "" for the one way it has.
    tier: str = ""


@dataclass(frozen=True, slots=True)
class Understood:
    """What plain words were taken for: a row of the guide, and what it is for ("" where it does not say)."""

    row: str
    confidence: float
    task: str
    input: str
    output: str
    priority: str
    class_label: str


@dataclass(frozen=True, slots=True)
class Tier:
    """How well an answer was made: `name` as in "dpm-solver++2m/10", and what was measured and expected of it."""

    name: str
    steps: int
    set_for_deadline: bool
    quality: float
    predicted_latency_s: float


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision of the guide. `model` is "" where nothing fits; `rule` is "name, line n" or "" if named outright.

    `reason` is the rule's, as its author wrote it; `explanation` is this decision's.
    """

    model: str
    family: str
    rule: str
    reason: str
    explanation: str
    predicted_latency_s: float
    quality: float
    alternatives: tuple[Choice, ...]
    rejections: tuple[Choice, ...]
    counterfactuals: tuple[Choice, ...]
    tier: str = ""
    canary: bool = False
    understood: Understood | None = None


@dataclass(frozen=True, slots=True)
class StageReceipt:
    """A stage of a hybrid that answered: its name in the graph, the model that ran it, and its network steps."""

    stage: str
    model: str
    family: str
    version: str
    bundle_digest: str
    provider: str
    steps: int
    onnxruntime_version: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """How an answer came about; times in seconds. `stages` are a hybrid's, in the order in which they ran."""

    request_id: str
    model: str
    version: str
    bundle_digest: str
    seed: int
    provider: str
    onnxruntime_version: str
    sextant_version: str
    items: tuple[ItemUsage, ...]
    queue_s: float
    first_event_s: float
    total_s: float
    retries: int
    tier: Tier | None = None
    stages: tuple[StageReceipt, ...] = ()
    numpy_version: str = ""
    processor: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request was taken in: the first event of every stream."""

    request_id: str
    seed: int
    decision: Decided


@dataclass(frozen=True, slots=True)
class AudioPiece:
    """More sound of item `item`."""

    audio: Audio
    item: int = 0


@dataclass(frozen=True, slots=True)
class TextPiece:
    """More text of item `item`; `tokens` only where log-probabilities were asked for."""

    text: str
    item: int = 0
    tokens: tuple[TokenLogProb, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole item."""

    item: int
    media: Media
    finish_reason: FinishReason
    fills: tuple[tuple[TokenAlternative, ...], ...] = ()

    @property
    def picture(self) -> PIL.Image.Image:
        """See `as_picture`."""
        return as_picture(self.media)

    @property
    def array(self) -> NDArray[Any]:
        """See `as_array`."""
        return as_array(self.media)


# What a stream yields, in this order: one Accepted, any number of the next three, an Answer per item, a Receipt.
Event = Accepted | Progress | TextPiece | AudioPiece | Answer | Receipt


class Listed(list[T]):
    """One answer per item, in their order, and the receipt of them all."""

    def __init__(self, items: Iterable[T], receipt: Receipt) -> None:
        super().__init__(items)
        self.receipt = receipt


@dataclass(frozen=True, slots=True)
class Served:
    """A model that is served."""

    name: str
    version: str
    family: str
    architecture: str
    description: str
    tasks: tuple[TaskKind, ...]
    inputs: tuple[Modality, ...]
    outputs: tuple[Modality, ...]
    license: str
    digest: str
    size_bytes: int
    context_tokens: int
    providers: tuple[str, ...]
    max_rel_error: float


def as_picture(media: Media) -> PIL.Image.Image:
    """A picture as Pillow's, of mode L, RGB or RGBA. TypeError where `media` is none."""
    if isinstance(media, Image):
        return pillow_from_image(media)
    raise TypeError(f"a {type(media).__name__.lower()} is no picture")


def as_array(media: Media) -> NDArray[Any]:
    """The numbers of a medium: pixels uint8[h, w, c], samples float32[time, channels], a table's values
    [rows, columns], a latent's mean, or a tensor. TypeError for text and music, which are none."""
    match media:
        case Image():
            return media.pixels
        case Audio():
            return media.samples
        case Table():
            return media.values
        case Latent():
            return media.mean
        case Tensor():
            return media.array
    raise TypeError(f"a {type(media).__name__.lower()} is no array")


def as_json(message: generation_pb2.GenerateEvent) -> dict[str, Any]:
    """A raw event in the contract's own JSON form (protobuf.dev/programming-guides/json), every field present."""
    found: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return found
