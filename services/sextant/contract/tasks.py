"""What is asked of a model, inside Sextant: a `Request` of one or more `Task`s, one per item of the answer."""

from dataclasses import dataclass, field
from enum import StrEnum

from sextant.contract.media import Image, Latent, Media


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


@dataclass(frozen=True)
class ChatMessage:
    """One message of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True)
class Conditions:
    """What the result should be like, besides the prompt.

    `media` may hold latents: embeddings that a model is conditioned on, told apart by their spaces. `negative` is what
    guidance leads away from, in place of nothing at all.
    """

    class_label: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    media: tuple[Media, ...] = ()
    negative: tuple[Media, ...] = ()


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class FillMaskParameters:
    """How an encoder fills the blanks of a sentence."""

    candidates: int = 5


@dataclass(frozen=True)
class GanParameters:
    """How a GAN samples and inverts; None takes the bundle's default. Ranges as in generation.proto."""

    truncation: float | None = None
    mixing_layer: int | None = None
    inversion_steps: int | None = None


@dataclass(frozen=True)
class VaeParameters:
    """How a VAE samples and scores; None takes the bundle's default. Ranges as in generation.proto."""

    temperature: float | None = None
    importance_samples: int | None = None


@dataclass(frozen=True)
class FlowParameters:
    """How a flow samples; None takes the bundle's default. Ranges as in generation.proto."""

    temperature: float | None = None


class DiffusionSampler(StrEnum):
    """Which rule integrates the denoising process; their papers are in generation.proto."""

    DDPM = "ddpm"
    DDIM = "ddim"
    EULER = "euler"
    DPM_SOLVER_PP_2M = "dpm-solver++2m"
    LCM = "lcm"
    FLOW_EULER = "flow-euler"


@dataclass(frozen=True)
class DiffusionParameters:
    """How a diffusion model samples; None takes the bundle's default. Ranges as in generation.proto.

    `preview_every_steps` asks for a preview in every n-th progress event, 0 for none.
    """

    sampler: DiffusionSampler | None = None
    steps: int | None = None
    guidance: float | None = None
    eta: float | None = None
    preview_every_steps: int = 0


@dataclass(frozen=True)
class AutoregressiveParameters:
    """How PixelCNN and WaveNet sample; None takes the bundle's default. Ranges as in generation.proto."""

    temperature: float | None = None
    top_p: float | None = None


@dataclass(frozen=True)
class CodeParameters:
    """How a transformer over codes samples; None takes the bundle's default. Ranges as in generation.proto.

    `preview_every_steps` asks for a preview in every n-th progress event, 0 for none.
    """

    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    guidance: float | None = None
    preview_every_steps: int = 0


StageParameters = (
    TextParameters
    | FillMaskParameters
    | GanParameters
    | VaeParameters
    | FlowParameters
    | DiffusionParameters
    | AutoregressiveParameters
    | CodeParameters
)


@dataclass(frozen=True)
class HybridParameters:
    """How a hybrid runs: parameters by name of its stage, for those that should depart from their defaults."""

    stages: dict[str, StageParameters]


# One dataclass per message of generation.proto.
Parameters = StageParameters | HybridParameters


@dataclass(frozen=True)
class Size:
    """What the output should measure; fields at 0 take the model's own size."""

    width_px: int = 0
    height_px: int = 0
    duration_s: float = 0.0
    rows: int = 0


class InterpolationPath(StrEnum):
    """Which path leads from one latent to another: a straight line, or a great arc (slerp)."""

    LINEAR = "linear"
    SPHERICAL = "spherical"


@dataclass(frozen=True)
class Walk:
    """One frame of a path through a latent space: `position` is 0 at the start and 1 at the end.

    An end that is None is drawn from the request's seed by the model. With `traverse_index` that coordinate
    alone moves, from the start's value to the end's; with no end given, from -3 to 3 standard deviations of the
    prior. `path` None takes the model's own default.
    """

    position: float
    start: Latent | None = None
    end: Latent | None = None
    path: InterpolationPath | None = None
    traverse_index: int | None = None


@dataclass(frozen=True)
class Task:
    """One item of work for a sampler.

    `index` is the item's place in the request: item i depends on (seed, index) alone. `prompt` and `chat`
    exclude each other. `source` is what Transform, Encode, Decode and Score work on; `context` is what a
    scored text follows. `space` is the latent space to encode to, of a model that has several. `walk` is set for
    Interpolate alone: a task is one frame. `mask` says where Transform may change its source (white), `strength` how
    far, in (0, 1]. `parameters` is None where the caller gave none.
    """

    kind: TaskKind
    seed: int
    index: int = 0
    prompt: str | None = None
    chat: tuple[ChatMessage, ...] = ()
    source: Media | None = None
    context: str = ""
    space: str = ""
    conditions: Conditions = Conditions()
    parameters: Parameters | None = None
    size: Size = Size()
    walk: Walk | None = None
    mask: Image | None = None
    strength: float | None = None


@dataclass(frozen=True)
class Interpolation:
    """A path as it is asked for: ends that are data must be encoded before there are tasks."""

    start: Media | None
    end: Media | None
    frames: int
    path: InterpolationPath | None
    traverse_index: int | None
    conditions: Conditions

    def tasks(self, seed: int, start: Latent | None, end: Latent | None) -> tuple[Task, ...]:
        """A task for each frame, from `start` to `end`, which a model draws from the seed where they are None."""
        return tuple(
            Task(
                kind=TaskKind.INTERPOLATE,
                seed=seed,
                index=frame,
                conditions=self.conditions,
                walk=Walk(frame / (self.frames - 1), start, end, self.path, self.traverse_index),
            )
            for frame in range(self.frames)
        )


@dataclass(frozen=True)
class Request:
    """What the gateway sends to a replica.

    `budget_s` is the time left when it was sent (None: no deadline); the replica's clock takes over from
    there. `resume_from[i]` events of item i were already delivered by a replica that is gone: the new one
    replays from the seed and does not send them again. Empty: nothing was. With `partial` the time's end brings the
    best estimates so far, where every item has one, instead of `DeadlineExceeded`. `trace` is the W3C traceparent of
    the span that this is part of; "" where nothing is traced.
    """

    request_id: str
    model: str
    tasks: tuple[Task, ...]
    budget_s: float | None = None
    resume_from: tuple[int, ...] = ()
    partial: bool = False
    trace: str = ""
