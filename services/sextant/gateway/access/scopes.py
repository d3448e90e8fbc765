"""What an API key can be allowed: groups of methods, or one method by its full name."""

from collections.abc import Iterable

from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection

from sextant.contract.v1 import generation_pb2, guide_pb2, models_pb2

HEALTH, REFLECTION = "health", "reflection"

_GENERATION = generation_pb2.DESCRIPTOR.services_by_name["Generation"].full_name
_GUIDE = guide_pb2.DESCRIPTOR.services_by_name["Guide"].full_name
_MODELS = models_pb2.DESCRIPTOR.services_by_name["Models"].full_name
# Their own groups, so that whoever may measure need not be able to make anything.
_APART = {f"{_GENERATION}/Score": "score"}
_GROUP_OF_SERVICE = {
    _GENERATION: "generation",
    _GUIDE: "guide",
    _MODELS: "models",
    health.SERVICE_NAME: HEALTH,
    reflection.SERVICE_NAME: REFLECTION,
}
_METHODS = frozenset(
    f"{service.full_name}/{method.name}"
    for contract in (generation_pb2, guide_pb2, models_pb2)
    for service in contract.DESCRIPTOR.services_by_name.values()
    for method in service.methods
)

GROUPS: tuple[str, ...] = ("generation", "score", "guide", "models", HEALTH, REFLECTION)
# What most callers need.
USUAL: tuple[str, ...] = ("generation", "score", "guide", "models")


def group_of(method: str) -> str:
    """The group of a method, "package.Service/Method"; the method itself where no group has it."""
    return _APART.get(method) or _GROUP_OF_SERVICE.get(method.partition("/")[0]) or method


def is_scope(scope: str) -> bool:
    """Whether there is anything that `scope` allows."""
    return scope in GROUPS or scope in _METHODS


def allows(scopes: Iterable[str], method: str) -> bool:
    """Whether `method` is among what the scopes are for."""
    return not {method, group_of(method)}.isdisjoint(scopes)
