"""Whose fault a refusal is: the server names fields of the request, and the caller gave files."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sextant.client import InvalidArgument
from sextant.contract.errors import FieldViolation


@contextmanager
def blaming_files(file_of_field: Mapping[str, str]) -> Iterator[None]:
    """Refusals of a field, or of anything inside it, name the file that it was read from as well."""
    try:
        yield
    except InvalidArgument as refused:
        refused.fields = [_named(violation, file_of_field) for violation in refused.fields]
        raise


def _named(violation: FieldViolation, file_of_field: Mapping[str, str]) -> FieldViolation:
    for field, file in file_of_field.items():
        if violation.field == field or violation.field.startswith(f"{field}."):
            return FieldViolation(f"{file} ({violation.field})", violation.description)
    return violation
