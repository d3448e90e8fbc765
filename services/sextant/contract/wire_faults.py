"""Where in its bytes a message is broken. Protobuf says only that it is.

Reads the wire format (protobuf.dev/programming-guides/encoding) along the message's descriptor until it meets
the first string that is not UTF-8 or the first value that runs past its end. Only refused messages come here.
"""

from collections import Counter
from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from sextant.contract.errors import FieldViolation
from sextant.contract.violations import quoted

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10

# A hostile message may hold millions of two-byte fields; after this many the search ends without a name.
MOST_FIELDS = 100_000

_NOT_UTF8 = "is not valid UTF-8"


class _Broken(Exception):
    """The bytes stop making sense here; `number` is the field that was being read, if that much was legible."""

    def __init__(self, number: int | None = None) -> None:
        self.number = number


class _GivenUp(Exception):
    """Nothing can be said: groups, which proto3 does not use, or too many fields."""


def find_fault(descriptor: Descriptor, data: bytes) -> FieldViolation | None:
    """The first broken field of `data`, by its path; None where it cannot be told."""
    try:
        return _Search().message(descriptor, data, "")
    except _GivenUp:
        return None


class _Search:
    """One search; counts the fields it has read."""

    def __init__(self) -> None:
        self._read = 0

    def message(self, descriptor: Descriptor, data: bytes, path: str) -> FieldViolation | None:
        """The first fault within a message at `path`, or the message itself where its framing is broken."""
        seen: Counter[int] = Counter()
        try:
            for number, value in self._fields(data):
                field = descriptor.fields_by_number.get(number)
                index, seen[number] = seen[number], seen[number] + 1
                if field is None or value is None:
                    continue  # unknown to us, or a plain number, which cannot be wrong
                fault = self._value(field, value, _path_of(field, path, index))
                if fault is not None:
                    return fault
        except _Broken as broken:
            field = None if broken.number is None else descriptor.fields_by_number.get(broken.number)
            if field is not None:
                return FieldViolation(_path_of(field, path, seen[field.number]), "is cut short")
            return FieldViolation(path, f"is not a valid {descriptor.full_name} message") if path else None
        return None

    def _value(self, field: FieldDescriptor, value: bytes, path: str) -> FieldViolation | None:
        if field.type == FieldDescriptor.TYPE_STRING:
            return None if _is_utf8(value) else FieldViolation(path, _NOT_UTF8)
        descriptor = field.message_type
        if descriptor is None:
            return None
        if descriptor.GetOptions().map_entry:
            return self._map_entry(descriptor, value, path)
        return self.message(descriptor, value, path)

    def _map_entry(self, entry: Descriptor, data: bytes, path: str) -> FieldViolation | None:
        """As `message`, but an entry is named by its key: "attributes[hair]"."""
        key = b""
        try:
            for number, value in self._fields(data):
                if number == 1 and value is not None:
                    key = value
        except _Broken:
            return FieldViolation(path, "holds an entry that is cut short")
        if not _is_utf8(key):
            return FieldViolation(path, "holds a key that is not valid UTF-8")
        for number, value in self._fields(data):
            if number == 2 and value is not None:
                fault = self._value(entry.fields_by_name["value"], value, f"{path}[{quoted(key.decode())}]")
                if fault is not None:
                    return fault
        return None

    def _fields(self, data: bytes) -> Iterator[tuple[int, bytes | None]]:
        """The fields of one message in turn: number, and content where it has a length of its own."""
        at = 0
        while at < len(data):
            self._read += 1
            if self._read > MOST_FIELDS:
                raise _GivenUp
            tag, at = _varint(data, at, None)
            number, wire_type = tag >> 3, tag & 7
            if number == 0:
                raise _Broken
            value = None
            if wire_type == _VARINT:
                _, at = _varint(data, at, number)
            elif wire_type in (_FIXED64, _FIXED32):
                at += 8 if wire_type == _FIXED64 else 4
            elif wire_type == _LENGTH:
                length, start = _varint(data, at, number)
                at = start + length
                value = data[start:at]
            else:
                raise _GivenUp
            if at > len(data):
                raise _Broken(number)
            yield number, value


def _varint(data: bytes, at: int, number: int | None) -> tuple[int, int]:
    """The variable-length integer at `at`, and where it ends; `_Broken` within field `number` if it does not end."""
    value = 0
    for place, byte in enumerate(data[at : at + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise _Broken(number)


def _path_of(field: FieldDescriptor, path: str, index: int) -> str:
    name = f"{path}.{field.name}" if path else field.name
    is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
    return f"{name}[{index}]" if field.is_repeated and not is_map else name


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
