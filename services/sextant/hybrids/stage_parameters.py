"""Parameters of stages: a graph's own as dataclasses, and a request's laid over them."""

from dataclasses import fields, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sextant.bundles.manifest import Manifest
from sextant.bundles.verify import explain
from sextant.contract.tasks import (
    AutoregressiveParameters,
    CodeParameters,
    DiffusionParameters,
    FlowParameters,
    GanParameters,
    StageParameters,
    TextParameters,
    VaeParameters,
)

_OF_FAMILY: dict[str, type[StageParameters]] = {
    "transformer": TextParameters,
    "gan": GanParameters,
    "vae": VaeParameters,
    "flow": FlowParameters,
    "diffusion": DiffusionParameters,
    "autoregressive": AutoregressiveParameters,
}
# Of a family with several kinds, those that take others.
_OF_ARCHITECTURE: dict[str, type[StageParameters]] = {"code-transformer": CodeParameters}


def parse_parameters(model: Manifest, given: dict[str, Any]) -> StageParameters | None:
    """The parameters of a stage of that model, None where none are given. ValueError says what is wrong."""
    if not given:
        return None
    family = model.family
    kind = _OF_ARCHITECTURE.get(model.architecture) or _OF_FAMILY.get(family)
    if kind is None:
        raise ValueError(f"a {family} takes no parameters")
    known = [field.name for field in fields(kind)]
    for name in given:
        if name not in known:
            raise ValueError(f"a {family} has no parameter {name!r}; it has {', '.join(known)}")
    try:
        parsed: StageParameters = TypeAdapter(kind).validate_python(given)
    except ValidationError as error:
        raise ValueError(explain(error)) from error
    return parsed


def laid_over(own: StageParameters | None, asked: StageParameters | None) -> StageParameters | None:
    """What is asked for, and where that is silent the graph's own."""
    if own is None or asked is None or type(own) is not type(asked):
        return asked if asked is not None else own
    silent = type(asked)()
    said = {
        field.name: getattr(asked, field.name)
        for field in fields(asked)
        if getattr(asked, field.name) != getattr(silent, field.name)
    }
    return replace(own, **said)
