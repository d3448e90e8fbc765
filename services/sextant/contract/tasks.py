"""What is asked of a model, inside Sextant: a `Request` of one or more `Task`s, one per item of the answer."""

from dataclasses import dataclass, field
from enum import StrEnum

from sextant.contract.media import Media


class TaskKind(StrEnum):
    """What can be asked of a model, as manifests and the guide spell it."""

    GENERATE = "generate"
    TRANSFORM = "transform"
    INTERPOLATE = "interpolate"
    ENCODE = "encode"
    DECODE = "decode"
    SCORE = "score"


class Role(StrEnum):
    """Who said a message of a conversation."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the result should be like, besides the prompt."""

    class_label: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    media: tuple[Media, ...] = ()


@dataclass(frozen=True, slots=True)
class TextParameters:
    """How a language model samples; None takes the bundle's default. Ranges as in generation.proto."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    ignore_end_of_text: bool = False
    continue_prompt: bool = False
    beams: int | None = None


@dataclass(frozen=True, slots=True)
class FillMaskParameters:
    """How an encoder fills the blanks of a sentence."""

    candidates: int = 5


# A family adds its own parameters here when it comes; one dataclass per message of generation.proto.
Parameters = TextParameters | FillMaskParameters


@dataclass(frozen=True, slots=True)
class Task:
    """One item of work for a sampler.

    `index` is the item's place in the request: item i depends on (seed, index) alone. `prompt` and `chat`
    exclude each other. `source` is what Transform, Encode, Decode and Score work on; `context` is what a
    scored text follows. `parameters` is None where the caller gave none.
    """

    kind: TaskKind
    seed: int
    index: int = 0
    prompt: str | None = None
    chat: tuple[ChatMessage, ...] = ()
    source: Media | None = None
    context: str = ""
    conditions: Conditions = Conditions()
    parameters: Parameters | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What the gateway sends to a replica.

    `budget_s` is the time left when it was sent (None: no deadline); the replica's clock takes over from
    there. `resume_from[i]` events of item i were already delivered by a replica that is gone: the new one
    replays from the seed and does not send them again. Empty: nothing was.
    """

    request_id: str
    model: str
    tasks: tuple[Task, ...]
    budget_s: float | None = None
    resume_from: tuple[int, ...] = ()
