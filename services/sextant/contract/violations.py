"""What is wrong with a request, gathered, so that a caller learns of every mistake at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from sextant.contract.errors import FieldViolation, InvalidRequest

# Violations travel in the trailing metadata of the answer, which HTTP/2 peers limit to about 8 KiB.
MOST_VIOLATIONS = 32
_LONGEST_QUOTE = 64


class Violations:
    """The violations found so far, in the order in which they were found; those after the 32nd are dropped."""

    def __init__(self) -> None:
        self._found: list[FieldViolation] = []

    def add(self, field: str, description: str) -> None:
        """Note that `field` is wrong."""
        if len(self._found) < MOST_VIOLATIONS:
            self._found.append(FieldViolation(field, description))

    @contextmanager
    def catching(self) -> Iterator[None]:
        """Note the violations of an `InvalidRequest` raised inside, and go on after the block."""
        try:
            yield
        except InvalidRequest as refused:
            for violation in refused.violations:
                self.add(violation.field, violation.description)

    def raise_any(self) -> None:
        """`InvalidRequest` with everything that was found; nothing if nothing was."""
        if self._found:
            first, *more = self._found
            raise InvalidRequest(first.field, first.description, *more)


def quoted(text: str) -> str:
    """Text of a caller, made safe for a field path or a message: printable, 64 characters at most."""
    shown = text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
    return shown if len(shown) <= _LONGEST_QUOTE else shown[: _LONGEST_QUOTE - 3] + "..."
