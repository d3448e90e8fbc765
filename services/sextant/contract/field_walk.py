"""One rule applied to every field of a message that it concerns, however deep; fields are named by their path.

Runs on every request, so what concerns which field is worked out once per message type, and a walk looks
only at fields that are set.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from sextant.contract.violations import Violations, quoted

# Of one repeated or map field that is looked into: two bytes are enough for an empty message, so without a limit
# a few megabytes of them would take seconds. Far above every count that the contract allows.
MOST_ELEMENTS = 10_000

# Says what is wrong with a value of the field; None where nothing is.
Rule = Callable[[Any], str | None]


@dataclass(frozen=True, slots=True)
class _Visit:
    """How to look at one field: apply `rule` to its values, or descend into them where `rule` is None."""

    name: str
    rule: Rule | None
    is_repeated: bool
    is_map: bool


class FieldWalk:
    """Walks messages of any type. `rule_for` says which rule concerns a field that is no message, if any."""

    def __init__(self, rule_for: Callable[[FieldDescriptor], Rule | None]) -> None:
        self._rule_for = rule_for
        self._visits: dict[Descriptor, dict[int, _Visit]] = {}

    def __call__(self, message: Message, found: Violations, path: str = "") -> None:
        """Add every violation in `message` to `found`, in the order of field numbers; `path` is the message's own."""
        visits = self._visits_of(cast(Descriptor, message.DESCRIPTOR))
        if not visits:
            return
        for field, value in message.ListFields():
            visit = visits.get(field.number)
            if visit is None:
                continue
            name = f"{path}.{visit.name}" if path else visit.name
            if (visit.is_map or visit.is_repeated) and len(value) > MOST_ELEMENTS:
                found.add(name, f"has {len(value)} elements, more than {MOST_ELEMENTS}")
            elif visit.is_map:
                for key in sorted(value):
                    self._look(visit.rule, value[key], f"{name}[{quoted(str(key))}]", found)
            elif visit.is_repeated:
                for index, element in enumerate(value):
                    self._look(visit.rule, element, f"{name}[{index}]", found)
            else:
                self._look(visit.rule, value, name, found)

    def _look(self, rule: Rule | None, value: Any, path: str, found: Violations) -> None:
        if rule is None:
            self(value, found, path)
        elif (description := rule(value)) is not None:
            found.add(path, description)

    def _visits_of(self, descriptor: Descriptor) -> dict[int, _Visit]:
        visits = self._visits.get(descriptor)
        if visits is None:
            visits = self._visits[descriptor] = {}  # present before its fields are: a type may contain itself
            for field in descriptor.fields:
                visit = self._visit_of(field)
                if visit is not None:
                    visits[field.number] = visit
        return visits

    def _visit_of(self, field: FieldDescriptor) -> _Visit | None:
        entry = field.message_type
        is_map = entry is not None and entry.GetOptions().map_entry
        leaf = entry.fields_by_name["value"] if entry is not None and is_map else field
        if leaf.message_type is None:
            rule = self._rule_for(leaf)
            return rule and _Visit(field.name, rule, field.is_repeated, is_map)
        return _Visit(field.name, None, field.is_repeated, is_map) if self._visits_of(leaf.message_type) else None
