"""From a request message to what is wanted of the guide and what is asked of the model."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sextant.contract import from_wire
from sextant.contract.media import MODALITY_OF, Modality
from sextant.contract.options import Encoding, Options, encoding_of, options_of
from sextant.contract.tasks import Task, TaskKind
from sextant.contract.v1 import generation_pb2
from sextant.contract.wire_enums import MODALITY_FROM_WIRE
from sextant.gateway.guide.decision import Wanted


@dataclass(frozen=True, slots=True)
class Plan:
    """A request, understood: what the guide must find, what the model must do, how the answer is encoded."""

    wanted: Wanted
    tasks: tuple[Task, ...]
    encoding: Encoding = field(default_factory=Encoding)


Planner = Callable[[Any, Options, int], Plan]


def plan_generate(message: generation_pb2.GenerateRequest, options: Options, seed: int) -> Plan:
    """Text is wanted where there is a prompt or a chat and nothing else is said."""
    tasks = from_wire.generate_tasks(message, seed)
    output = MODALITY_FROM_WIRE.get(message.output)
    if output is None and not options.model and (message.HasField("prompt") or message.HasField("chat")):
        output = Modality.TEXT
    return Plan(_wanted(TaskKind.GENERATE, options, output=output), tasks, encoding_of(message))


def plan_transform(message: generation_pb2.TransformRequest, options: Options, seed: int) -> Plan:
    """What comes out is of the kind that went in."""
    tasks = from_wire.transform_tasks(message, seed)
    kind = _modality(tasks)
    return Plan(_wanted(TaskKind.TRANSFORM, options, input=kind, output=kind), tasks, encoding_of(message))


def plan_interpolate(message: generation_pb2.InterpolateRequest, options: Options, seed: int) -> Plan:
    """No tasks yet: what interpolation needs of them comes with the first family that serves it."""
    from_wire.validate_interpolate(message)
    return Plan(_wanted(TaskKind.INTERPOLATE, options), (), encoding_of(message))


def plan_encode(message: generation_pb2.EncodeRequest, options: Options, seed: int) -> Plan:
    """Latents are wanted of the first item's kind; items are all of one."""
    tasks = from_wire.encode_tasks(message, seed)
    return Plan(_wanted(TaskKind.ENCODE, options, input=_modality(tasks)), tasks)


def plan_decode(message: generation_pb2.DecodeRequest, options: Options, seed: int) -> Plan:
    """The model must know the latents' space."""
    tasks = from_wire.decode_tasks(message, seed)
    space = options.latent_space or message.latents[0].space
    return Plan(_wanted(TaskKind.DECODE, options, latent_space=space), tasks, encoding_of(message))


def plan_score(message: generation_pb2.ScoreRequest, options: Options, seed: int) -> Plan:
    """Items are all of one kind."""
    tasks = from_wire.score_tasks(message, seed)
    return Plan(_wanted(TaskKind.SCORE, options, input=_modality(tasks)), tasks)


def understand(message: Any, planner: Planner, draw_seed: Callable[[], int]) -> tuple[Plan, int]:
    """The plan of a message, and the seed in use: the caller's, or one drawn here."""
    options = options_of(message)
    seed = draw_seed() if options.seed is None else options.seed
    return planner(message, options, seed), seed


def _modality(tasks: tuple[Task, ...]) -> Modality | None:
    return MODALITY_OF.get(type(tasks[0].source))


def _wanted(
    task: TaskKind,
    options: Options,
    *,
    input: Modality | None = None,  # noqa: A002 - the guide's own word
    output: Modality | None = None,
    latent_space: str = "",
) -> Wanted:
    return Wanted(
        task=task,
        input=input,
        output=output,
        priority=options.priority,
        exact_likelihood=options.exact_likelihood,
        deterministic=options.deterministic,
        latent_space=latent_space or options.latent_space,
        model=options.model,
    )
