"""Fields of messages, filled in one by one, so that what protobuf refuses is told by the field's name."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, TypeVar

from sextant.client.errors import invalid

_Enum = TypeVar("_Enum", bound=StrEnum)


def set_field(message: Any, name: str, value: object, field: str) -> None:
    """Set a field unless the value is None; a sequence is added to what is there. `field` is its whole path."""
    if value is None:
        return
    with blaming(field):
        if isinstance(value, Sequence) and not isinstance(value, str):
            getattr(message, name).extend(value)
        else:
            setattr(message, name, value)


def named(kind: type[_Enum], name: str, field: str) -> _Enum:
    """The member of `kind` that is called `name`."""
    try:
        return kind(name)
    except ValueError:
        raise invalid(field, f"must be one of {', '.join(kind)}, not {name!r}") from None


@contextmanager
def blaming(field: str) -> Iterator[None]:
    """Refusals of protobuf and NumPy (out of range, wrong type, not UTF-8) as ours, which name the field."""
    try:
        yield
    except UnicodeEncodeError:
        raise invalid(field, "is not valid UTF-8") from None
    except (ValueError, TypeError) as error:
        raise invalid(field, str(error)) from error
