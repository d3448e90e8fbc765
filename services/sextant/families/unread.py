"""What a task says and a model would not heed: refused by its field, so that nobody takes it for heeded."""

from typing import TypeVar

from sextant.contract.errors import InvalidRequest
from sextant.contract.tasks import Size, Task

P = TypeVar("P")


def refuse_unread(task: Task, *read: str) -> None:
    """`InvalidRequest` for every field that is set and not among those `read`.

    The fields are "prompt", "chat", "context", "conditions.attributes", "conditions.media", "conditions.negative",
    "mask", "strength" and "parameters"; a class is `labels.read_class`'s to refuse.
    """
    present = {
        "prompt": bool(task.prompt),
        "chat": bool(task.chat),
        "context": bool(task.context),
        "conditions.attributes": bool(task.conditions.attributes),
        "conditions.media": bool(task.conditions.media),
        "conditions.negative": bool(task.conditions.negative),
        "mask": task.mask is not None,
        "strength": task.strength is not None,
        "parameters": task.parameters is not None,
    }
    for field, is_set in present.items():
        if is_set and field not in read:
            raise InvalidRequest(field, f"this model takes none to {task.kind}")


def check_size(size: Size, own: Size) -> None:
    """`InvalidRequest` for every measure that is asked for and is not the model's own; 0 asks for nothing."""
    for name in ("width_px", "height_px", "duration_s", "rows"):
        asked, given = getattr(size, name), getattr(own, name)
        if asked not in (0, given):
            reason = f"must be {given}, the model's own, or 0" if given else "this model's output has no such measure"
            raise InvalidRequest(f"size.{name}", reason)


def read_parameters(task: Task, kind: type[P], name: str) -> P:
    """The task's parameters, those of the family `name`; with none given, all of them absent."""
    if task.parameters is None:
        return kind()
    if not isinstance(task.parameters, kind):
        raise InvalidRequest("parameters", f"this model takes `{name}` parameters")
    return task.parameters
