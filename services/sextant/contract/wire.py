"""Bytes to messages, and what protobuf itself does not check of them.

Parsing is ours rather than gRPC's, so that a caller whose bytes are refused learns which field is to blame.
"""

from math import isfinite
from typing import TypeVar, cast

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

from sextant.contract.errors import MalformedMessage
from sextant.contract.field_walk import FieldWalk, Rule
from sextant.contract.violations import Violations
from sextant.contract.wire_faults import find_fault

M = TypeVar("M", bound=Message)


def parse(message_type: type[M], data: bytes) -> M:
    """`data` as a message; `MalformedMessage` naming the field to blame, or "" where that cannot be told."""
    try:
        return message_type.FromString(data)
    except DecodeError as refused:
        fault = find_fault(cast(Descriptor, message_type.DESCRIPTOR), data)
        if fault is None:
            raise MalformedMessage("", f"not a valid {message_type.DESCRIPTOR.full_name} message") from refused
        raise MalformedMessage(fault.field, fault.description) from refused


def check(message: Message) -> None:
    """`InvalidRequest` for every enum value the contract does not know and every number that is not finite."""
    found = Violations()
    _enums_and_numbers(message, found)
    found.raise_any()


def _enum_rule(enum: EnumDescriptor) -> Rule:
    known = frozenset(enum.values_by_number)
    return lambda value: None if value in known else f"{value} is not a value of {enum.full_name}"


def _number_rule(value: float) -> str | None:
    return None if isfinite(value) else f"must be finite, not {value:g}"


def _rule_for(field: FieldDescriptor) -> Rule | None:
    if field.enum_type is not None:
        return _enum_rule(field.enum_type)
    if field.type in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
        return _number_rule
    return None


_enums_and_numbers = FieldWalk(_rule_for)
