"""From a request message to what is wanted of the guide and what is asked of the model."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from sextant.contract import from_wire
from sextant.contract.media import MODALITY_OF, Image, Latent, Media, Modality
from sextant.contract.options import AnyRequest, Encoding, Options, encoding_of, options_of
from sextant.contract.tasks import (
    DiffusionParameters,
    DiffusionSampler,
    GanParameters,
    Interpolation,
    Parameters,
    Task,
    TaskKind,
    TextParameters,
)
from sextant.contract.v1 import generation_pb2
from sextant.contract.wire_enums import MODALITY_FROM_WIRE
from sextant.gateway.guide.decision import Wanted


@dataclass(frozen=True, slots=True)
class Plan:
    """A request, understood: what the guide must find, what the model must do, how the answer is encoded.

    `path` is set for Interpolate, whose `tasks` follow only when its ends are latents. With `partial` the
    deadline brings the best estimates so far.
    """

    wanted: Wanted
    tasks: tuple[Task, ...]
    encoding: Encoding = field(default_factory=Encoding)
    path: Interpolation | None = None
    partial: bool = False


Planner = Callable[[Any, Options, int], Plan]


def plan_generate(message: generation_pb2.GenerateRequest, options: Options, seed: int) -> Plan:
    """Text is wanted where there is a prompt or a chat and nothing else is said."""
    tasks = from_wire.generate_tasks(message, seed)
    output = MODALITY_FROM_WIRE.get(message.output)
    if output is None and not options.model and (message.HasField("prompt") or message.HasField("chat")):
        output = Modality.TEXT
    # The guide looks for a model that reads words; one that is named says itself, by the field, that it does not.
    words = message.HasField("prompt") or message.HasField("chat")
    read = Modality.TEXT if words and not options.model else None
    wanted = _wanted(TaskKind.GENERATE, options, message, input=read, output=output)
    return Plan(replace(wanted, size=(message.size.height_px, message.size.width_px)), tasks, encoding_of(message))


def plan_transform(message: generation_pb2.TransformRequest, options: Options, seed: int) -> Plan:
    """What comes out is of the kind that went in."""
    tasks = from_wire.transform_tasks(message, seed)
    kind = _modality(tasks)
    made = None if kind is Modality.TENSOR else kind  # what a bare array stands for is the model's to say
    return Plan(_wanted(TaskKind.TRANSFORM, options, message, input=kind, output=made), tasks, encoding_of(message))


def plan_interpolate(message: generation_pb2.InterpolateRequest, options: Options, seed: int) -> Plan:
    """The model must know the space of ends that are latents, and be able to encode ends that are data.

    A model named outright says itself that it does not know a space, by the field.
    """
    path = from_wire.interpolation(message)
    ends = [end for end in (path.start, path.end) if end is not None]
    spaces = [end.space for end in ends if isinstance(end, Latent)]
    data = [end for end in ends if not isinstance(end, Latent)]
    wanted = _wanted(
        TaskKind.INTERPOLATE,
        options,
        message,
        input=MODALITY_OF[type(data[0])] if data else None,
        latent_space=spaces[0] if spaces and not options.model else "",
    )
    return Plan(replace(wanted, encodes=bool(data)), (), encoding_of(message), path)


def plan_encode(message: generation_pb2.EncodeRequest, options: Options, seed: int) -> Plan:
    """Latents are wanted of the first item's kind; items are all of one."""
    tasks = from_wire.encode_tasks(message, seed)
    return Plan(
        _wanted(TaskKind.ENCODE, options, message, input=_modality(tasks), picture=_picture(tasks[0].source)), tasks
    )


def plan_decode(message: generation_pb2.DecodeRequest, options: Options, seed: int) -> Plan:
    """The model must know the latents' space; one named outright says itself that it does not, by the field."""
    tasks = from_wire.decode_tasks(message, seed)
    space = "" if options.model else options.latent_space or message.latents[0].space
    return Plan(_wanted(TaskKind.DECODE, options, message, latent_space=space), tasks, encoding_of(message))


def plan_score(message: generation_pb2.ScoreRequest, options: Options, seed: int) -> Plan:
    """Items are all of one kind."""
    tasks = from_wire.score_tasks(message, seed)
    return Plan(
        _wanted(TaskKind.SCORE, options, message, input=_modality(tasks), picture=_picture(tasks[0].source)), tasks
    )


def understand(message: Any, planner: Planner, draw_seed: Callable[[], int]) -> tuple[Plan, int]:
    """The plan of a message, and the seed in use: the caller's, or one drawn here."""
    options = options_of(message)
    seed = draw_seed() if options.seed is None else options.seed
    plan = planner(message, options, seed)
    count = len(plan.tasks) if plan.path is None else plan.path.frames
    sampler, steps = _way(plan.tasks[0].parameters if plan.tasks else None)
    wanted = replace(plan.wanted, count=count, sampler=sampler, steps=steps)
    return replace(plan, wanted=wanted, partial=options.partial_on_deadline), seed


def _way(parameters: Parameters | None) -> tuple[DiffusionSampler | None, int | None]:
    """What the request says of how to run: the sampler, and the number of steps."""
    match parameters:
        case DiffusionParameters():
            return parameters.sampler, parameters.steps
        case TextParameters():
            return None, parameters.max_tokens
        case GanParameters():
            return None, parameters.inversion_steps
    return None, None


def _picture(given: Media | None) -> tuple[int, int] | None:
    """Height and width of a picture; None for all else."""
    return given.pixels.shape[:2] if isinstance(given, Image) else None


def _modality(tasks: tuple[Task, ...]) -> Modality | None:
    return MODALITY_OF.get(type(tasks[0].source))


def _wanted(
    task: TaskKind,
    options: Options,
    message: AnyRequest,
    *,
    input: Modality | None = None,  # noqa: A002 - the guide's own word
    output: Modality | None = None,
    latent_space: str = "",
    picture: tuple[int, int] | None = None,
) -> Wanted:
    return Wanted(
        task=task,
        input=input,
        output=output,
        priority=options.priority,
        exact_likelihood=options.exact_likelihood,
        deterministic=options.deterministic,
        latent_space=latent_space or options.latent_space,
        class_label=message.conditions.class_label,
        attributes=tuple(sorted(message.conditions.attributes)),
        picture=picture,
        family=from_wire.parameters_family(message),
        model=options.model,
    )
