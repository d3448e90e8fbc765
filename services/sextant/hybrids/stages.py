"""What a stage is asked, out of the request and what other stages made; and whose fault it is if it refuses."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from sextant.contract.errors import FieldViolation, InvalidRequest
from sextant.contract.media import Media, Text
from sextant.contract.tasks import Conditions, HybridParameters, Size, StageParameters, Task, TaskKind
from sextant.contract.violations import quoted
from sextant.families.unread import check_size, refuse_unread
from sextant.hybrids.graph import Edge, Stage
from sextant.hybrids.hybrid import Plan
from sextant.hybrids.stage_parameters import laid_over

# What draws nothing, and so answers alike where it is asked alike.
_DRAWS_NOTHING = frozenset({TaskKind.ENCODE, TaskKind.DECODE, TaskKind.SCORE})
# The ports of a stage beside the parts of the request, as `refuse_unread` and error messages name both.
_FIELDS = {
    "class_label": "conditions.class_label",
    "attributes": "conditions.attributes",
    "conditions": "conditions.media",
    "negative": "conditions.negative",
}
_PARAMETERS = frozenset(
    {"parameters", "text", "fill_mask", "gan", "vae", "flow", "diffusion", "autoregressive", "codes"}
)


def check_request(plan: Plan, task: Task, own_size: Size) -> None:
    """`InvalidRequest` for what the task brings and no stage reads, and for what a stage needs and is not there."""
    parts = {edge.request_part for edge in plan.graph.edges if edge.request_part is not None}
    refuse_unread(task, "parameters", *(_FIELDS.get(part, part) for part in parts))
    if task.source is not None and "source" not in parts:
        raise InvalidRequest("source", f"this model takes none to {task.kind}")
    if task.conditions.class_label and "class_label" not in parts:
        raise InvalidRequest("conditions.class_label", "this model has no classes")
    check_size(task.size, own_size)
    for edge in plan.graph.edges:
        needs = edge.request_part in ("prompt", "source") and edge.otherwise is None
        if needs and _part(edge, task) is None:
            raise InvalidRequest(str(edge.request_part), f"is required: stage {edge.stage} of this model works on it")
    _check_parameters(plan, task)


def stage_tasks(plan: Plan, name: str, tasks: Sequence[Task], made: Mapping[str, Sequence[Media]]) -> list[Task]:
    """What stage `name` is asked for each task of the request; `made` holds what the stages before it made for each."""
    stage, edges = plan.graph.stages[name], plan.graph.into(name)
    return [
        _task(plan, name, stage, task, {edge: _value(edge, task, made, item) for edge in edges})
        for item, task in enumerate(tasks)
    ]


def alike(tasks: Sequence[Task]) -> list[int]:
    """For each task the place of the first that must be answered alike: it works on the same, and draws nothing."""
    first: dict[Any, int] = {}
    places = []
    for place, task in enumerate(tasks):
        if task.kind not in _DRAWS_NOTHING:
            places.append(place)
            continue
        given = (task.source, *task.conditions.media, *task.conditions.negative)
        key = (*map(_identity, given), task.prompt, task.context, task.conditions.class_label)
        places.append(first.setdefault(key, place))
    return places


def renamed(error: InvalidRequest, plan: Plan, name: str, task: Task) -> InvalidRequest:
    """A stage's refusal, told of the request: by the part that was read, or the parameters that were given."""
    first, *more = (FieldViolation(*_told(plan, name, violation, task)) for violation in error.violations)
    return InvalidRequest(first.field, first.description, *more)


def _task(plan: Plan, name: str, stage: Stage, task: Task, values: Mapping[Edge, Any]) -> Task:
    by_port: dict[str, Any] = {edge.port: value for edge, value in values.items() if value is not None}
    several = {
        port: tuple(value for edge, value in values.items() if edge.port == port and value is not None)
        for port in ("conditions", "negative")
    }
    prompt = by_port.get("prompt")
    source = Text(stage.text) if stage.text is not None else by_port.get("source")
    return Task(
        kind=stage.task,
        seed=task.seed if stage.seed == "request" else own_seed(task.seed, name),
        index=task.index,
        prompt=prompt.content if isinstance(prompt, Text) else None,
        source=source,
        context=by_port["context"].content if "context" in by_port else "",
        space=plan.spaces.get(name, ""),
        conditions=Conditions(
            class_label=by_port.get("class_label", stage.class_label),
            attributes=by_port.get("attributes", {}),
            media=several["conditions"],
            negative=several["negative"],
        ),
        parameters=laid_over(plan.parameters[name], _asked_of(plan, task, name)),
        mask=by_port.get("mask"),
        strength=by_port.get("strength", stage.strength),
    )


def _value(edge: Edge, task: Task, made: Mapping[str, Sequence[Media]], item: int) -> Any:
    """What flows along an edge for one item; None where the request does not bring it."""
    if edge.request_part is None:
        return made[edge.source][item]
    given = _part(edge, task)
    return Text(edge.otherwise) if given is None and edge.otherwise is not None else given


def _part(edge: Edge, task: Task) -> Any:
    match edge.request_part:
        case "prompt":
            return None if task.prompt is None else Text(task.prompt)
        case "context":
            return Text(task.context) if task.context else None
        case "class_label":
            return task.conditions.class_label or None
        case "attributes":
            return task.conditions.attributes or None
    return getattr(task, str(edge.request_part))


def _identity(medium: Media | None) -> Any:
    """Equal for media that are the same object, and for equal texts."""
    return medium.content if isinstance(medium, Text) else id(medium)


def own_seed(seed: int, stage: str) -> int:
    """A seed of the stage's own, uint64: two that diffuse must not start from the same noise."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{stage}".encode()).digest()[:8], "little")


def _check_parameters(plan: Plan, task: Task) -> None:
    if isinstance(task.parameters, HybridParameters):
        for name in task.parameters.stages:
            if name not in plan.graph.stages:
                known = ", ".join(plan.graph.stages)
                raise InvalidRequest(f"hybrid.stages[{quoted(name)}]", f"there is no such stage; there are {known}")
    elif task.parameters is not None and plan.graph.stream is None:
        raise InvalidRequest("parameters", "this model takes `hybrid` parameters: those of its stages by name")


def _asked_of(plan: Plan, task: Task, name: str) -> StageParameters | None:
    """The request's parameters for a stage. Those of one family alone are for the stage that is streamed."""
    if isinstance(task.parameters, HybridParameters):
        return task.parameters.stages.get(name)
    return task.parameters if name == plan.graph.stream else None


def _told(plan: Plan, name: str, violation: FieldViolation, task: Task) -> tuple[str, str]:
    field, description = violation.field, violation.description
    head = field.partition(".")[0].partition("[")[0]
    if head in _PARAMETERS:
        if not isinstance(task.parameters, HybridParameters | None):
            return field, description
        rest = "" if head == "parameters" else f".{field}"
        return f"hybrid.stages[{quoted(name)}]{rest}", description
    port = "source" if head in ("items", "latents") else head
    if head == "conditions":
        port = field.removeprefix("conditions.").partition("[")[0]
        port = "conditions" if port == "media" else port
    for edge in plan.graph.into(name):
        if edge.port == port and edge.request_part is not None:
            return _part_field(plan.kind, edge.request_part, field), description
    return "", f"stage {name}: {field + ': ' if field else ''}{description}"


def _part_field(kind: TaskKind, part: str, field: str) -> str:
    """Where a request of that kind has what a stage's complaint about `field` is about."""
    if part != "source":
        return _FIELDS.get(part, part)
    head, dot, rest = field.partition(".")
    own = {TaskKind.ENCODE: "items", TaskKind.SCORE: "items", TaskKind.DECODE: "latents"}.get(kind, "source")
    return field if head.partition("[")[0] == own else f"source{dot}{rest}"
