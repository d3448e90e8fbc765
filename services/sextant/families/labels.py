"""Classes by name: the names that a model knows, as the indices that its network takes."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator

from sextant.contract.errors import InvalidRequest
from sextant.contract.tasks import Conditions
from sextant.runtime.rng import RequestRng

_FIELD = "conditions.class_label"


def _differ(names: tuple[str, ...]) -> tuple[str, ...]:
    if len({name.casefold() for name in names}) != len(names) or "" in names:
        raise ValueError("classes must have names that differ in more than case")
    return names


# The classes of a manifest; none: unconditional.
ClassNames = Annotated[tuple[str, ...], AfterValidator(_differ)]


def read_class(conditions: Conditions, classes: Sequence[str], rng: RequestRng | None = None) -> int | None:
    """The index of the class asked for; None for a model without classes.

    Names match without regard to case. Where none is given, the class is drawn uniformly from `rng`, if there is
    one. Raises `InvalidRequest` for an unknown name, for one that is missing, and for any where there are no classes.
    """
    label = conditions.class_label
    if not classes:
        if label:
            raise InvalidRequest(_FIELD, "this model has no classes")
        return None
    if not label and rng is not None:
        return int(float(rng.uniform("class")) * len(classes))
    known = [name.casefold() for name in classes]
    if label.casefold() not in known:
        raise InvalidRequest(_FIELD, f"must be one of {', '.join(classes)}")
    return known.index(label.casefold())
