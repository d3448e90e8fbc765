"""Valid requests made invalid, or strange: by the grammar of their messages, by their media, and byte by byte.

Everything is drawn from one seed, so that request number n of a seed is the same every time.
"""

import random
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from tests.contract.strategies import is_map, leaf_of
from tests.fuzz.corpus import Seed, png, wav

_INTEGERS = (0, 1, 2, 3, 65, 257, 1001, 2**16, 2**31 - 1, 2**31, 2**32 - 1)
_LONG = (*_INTEGERS, 2**63, 2**64 - 1)
_NUMBERS = (0.0, -0.0, 1.0, -1.0, 1e-45, 1e-300, 0.5, 1e30, 3.4e38, 1e308, float("nan"), float("inf"), float("-inf"))
_STRINGS = (
    *("", "x", "\0", "a" * 300, "é" * 5000, "\u202e\u0000\ufeff", "../../etc/passwd", "${jndi:ldap://x}", "%s%n%d"),
    *("fashion-vae", "fashion-dcgan", "fashion-diffusion", "us-phonemes", "fashion-refined", "nonesuch", "0", "bag"),
    *("{{ ''.__class__ }}", "<|im_start|>", "[MASK]", "\ud7ff\U0010ffff", "fashion-vae/z", "moons-realnvp/z"),
)
_BLOBS = (
    *(b"", b"\0", b"\xff" * 64, bytes(4096), b"RIFF\xff\xff\xff\xffWAVE", b"\x89PNG\r\n\x1a\n", b"MThd" + bytes(10)),
    *(b"fLaC" + b"\xff" * 40, b"\xff\xd8\xff" + bytes(100), b"RIFF\0\0\0\0WEBPVP8X" + b"\xff" * 30),
)
_TIMEOUTS_S = (2.0, 2.0, 2.0, 1.0, 1.0, 0.1, 0.001)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A request as bytes, the method, the deadline, and what was done to it."""

    method: str
    data: bytes
    timeout_s: float
    told: str


class Mutator:
    """Draws mutants of `seeds`."""

    def __init__(self, seeds: Sequence[Seed], seed: int) -> None:
        self._seeds = seeds
        self._random = random.Random(seed)
        self._bombs = _bombs()
        self._by_type: dict[str, list[Message]] = {}
        for start in seeds:
            for message in _messages(start.message):
                self._by_type.setdefault(message.DESCRIPTOR.full_name, []).append(message)
        self._of_fields: Sequence[Callable[[Message], str]] = (
            *(self._extreme,) * 4,
            *(self._drop, self._drop, self._another_of_oneof, self._repeat, self._splice, self._media, self._media),
        )

    def __iter__(self) -> Iterator[Mutant]:
        while True:
            yield self.one()

    def one(self) -> Mutant:
        """The next one: up to three changes to the message, then perhaps one to its bytes."""
        start = self._random.choice(self._seeds)
        message = type(start.message)()
        message.CopyFrom(start.message)
        told = [self._random.choice(self._of_fields)(message) for _ in range(self._random.choice((0, 1, 1, 1, 2, 3)))]
        data = message.SerializeToString()
        if not told or self._random.random() < 0.2:
            data, how = self._bytes(data)
            told.append(how)
        return Mutant(start.method, data, self._random.choice(_TIMEOUTS_S), ", ".join(told))

    # ---- of messages ---------------------------------------------------------------------------------------

    def _somewhere(self, message: Message) -> Message:
        """The message or one inside it, as likely as another."""
        return self._random.choice(list(_messages(message)))

    def _drop(self, message: Message) -> str:
        at = self._somewhere(message)
        fields = at.ListFields()
        if not fields:
            return "nothing to drop"
        field, _ = self._random.choice(fields)
        at.ClearField(field.name)
        return f"without {field.full_name}"

    def _extreme(self, message: Message) -> str:
        """A field that is there or one that is not, anywhere, gets a value at the edge of its type or beyond."""
        at = self._somewhere(message)
        descriptor: Descriptor = at.DESCRIPTOR
        field = self._random.choice(descriptor.fields)
        leaf = leaf_of(field)
        if leaf.message_type is not None:
            if is_map(field):
                getattr(at, field.name)[self._random.choice(_STRINGS)].SetInParent()
            elif field.is_repeated:
                getattr(at, field.name).add()
            else:
                getattr(at, field.name).SetInParent()
            return f"empty {field.full_name}"
        value = self._value(leaf)
        if is_map(field):
            getattr(at, field.name)[self._random.choice(_STRINGS)] = value
        elif field.is_repeated:
            values = getattr(at, field.name)
            if values and self._random.random() < 0.5:
                values[self._random.randrange(len(values))] = value
            else:
                values.append(value)
        else:
            setattr(at, field.name, value)
        return f"{field.full_name} = {str(value)[:40]!r}"

    def _value(self, field: FieldDescriptor) -> Any:
        match field.type:
            case FieldDescriptor.TYPE_STRING:
                return self._random.choice(_STRINGS)
            case FieldDescriptor.TYPE_BYTES:
                return self._random.choice((*_BLOBS, self._random.randbytes(self._random.randrange(200))))
            case FieldDescriptor.TYPE_BOOL:
                return self._random.random() < 0.5
            case FieldDescriptor.TYPE_FLOAT:
                return max(-3.4e38, min(3.4e38, n)) if abs(n := self._random.choice(_NUMBERS)) < 1e309 else n
            case FieldDescriptor.TYPE_DOUBLE:
                return self._random.choice(_NUMBERS)
            case FieldDescriptor.TYPE_ENUM:
                known = [value.number for value in field.enum_type.values]
                return self._random.choice((*known, -1, 99, 2**31 - 1, -(2**31)))
            case FieldDescriptor.TYPE_UINT64:
                return self._random.choice(_LONG)
            case FieldDescriptor.TYPE_INT32:
                return self._random.choice((-(2**31), -1, 0, 1, 2**31 - 1))
        return self._random.choice(_INTEGERS)

    def _another_of_oneof(self, message: Message) -> str:
        able = [part for part in _messages(message) if part.DESCRIPTOR.oneofs]
        if not able:
            return "no oneof"
        at = self._random.choice(able)
        field = self._random.choice(self._random.choice(at.DESCRIPTOR.oneofs).fields)
        if field.message_type is None:
            setattr(at, field.name, self._value(field))
        else:
            known = self._by_type.get(field.message_type.full_name)
            getattr(at, field.name).SetInParent()
            if known:
                getattr(at, field.name).CopyFrom(self._random.choice(known))
        return f"{field.full_name} instead"

    def _repeat(self, message: Message) -> str:
        able = [(p, f, v) for p in _messages(message) for f, v in p.ListFields() if f.is_repeated and not is_map(f)]
        if not able:
            return "nothing to repeat"
        at, field, values = self._random.choice(able)
        times = self._random.choice((2, 3, 17, 257))
        getattr(at, field.name).extend(list(values)[:1] * times)
        return f"{field.full_name} {times} times more"

    def _splice(self, message: Message) -> str:
        """A part is replaced by one of the same type out of another request."""
        at = self._somewhere(message)
        at.CopyFrom(self._random.choice(self._by_type.get(at.DESCRIPTOR.full_name) or [type(at)()]))
        return f"another {at.DESCRIPTOR.full_name}"

    # ---- of media ------------------------------------------------------------------------------------------

    def _media(self, message: Message) -> str:
        """Bytes of a medium or a tensor are bent, cut, or replaced by a file that lies about its size."""
        able = [
            (part, field)
            for part in _messages(message)
            for field, _ in part.ListFields()
            if field.type == FieldDescriptor.TYPE_BYTES
        ]
        if not able:
            return "no media"
        at, field = self._random.choice(able)
        data = bytearray(getattr(at, field.name))
        match self._random.randrange(5):
            case 0:
                how, data = "cut", data[: self._random.randrange(len(data) + 1)]
            case 1:
                how = "bent"
                for _ in range(self._random.randint(1, 8)):
                    if data:
                        data[self._random.randrange(len(data))] = self._random.randrange(256)
            case 2:
                how = "bent header"
                for _ in range(self._random.randint(1, 4)):
                    if data:
                        data[self._random.randrange(min(len(data), 48))] = self._random.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 3:
                how = "longer"
                data += self._random.randbytes(self._random.choice((1, 7, 4096)))
            case _:
                how, bomb = self._random.choice(self._bombs)
                data = bytearray(bomb)
        setattr(at, field.name, bytes(data))
        return f"{field.full_name} {how}"

    # ---- of bytes ------------------------------------------------------------------------------------------

    def _bytes(self, data: bytes) -> tuple[bytes, str]:
        bent = bytearray(data)
        match self._random.randrange(8):
            case 0:
                return data[: self._random.randrange(len(data) + 1)], "cut short"
            case 1:
                for _ in range(self._random.randint(1, 5)):
                    if bent:
                        bent[self._random.randrange(len(bent))] ^= 1 << self._random.randrange(8)
                return bytes(bent), "bits flipped"
            case 2:
                return data + self._random.randbytes(self._random.randrange(40)), "garbage behind"
            case 3:  # field 15 or so, of every wire type, groups too
                tag = self._random.randrange(1, 31) << 3 | self._random.randrange(8)
                return bytes([tag % 128 | 0x80, tag >> 7]) + b"\xff" * self._random.randrange(
                    12
                ) + data, "a strange tag"
            case 4:
                return data + b"\x0a" + b"\xff" * 9 + b"\x01", "a length beyond the end"
            case 5:
                depth = self._random.choice((50, 150, 5000))
                nested = b""
                for _ in range(depth):
                    nested = b"\x0a" + _varint(len(nested)) + nested
                return data + nested, f"{depth} deep"
            case 6:
                at = self._random.randrange(len(data) + 1)
                return data[:at] + b"\xc3\x28\xff\xfe" + data[at:], "not UTF-8"
        return data * self._random.choice((2, 3, 20)), "said again and again"


def _messages(message: Message) -> Iterator[Message]:
    """The message and all that it holds."""
    yield message
    for field, value in message.ListFields():
        if leaf_of(field).message_type is None:
            continue
        parts = [value[key] for key in value] if is_map(field) else value if field.is_repeated else [value]
        for part in parts:
            yield from _messages(part)


def _bombs() -> list[tuple[str, bytes]]:
    """Small files that are large, or say so."""
    return [
        ("a bomb of 6000 x 6000", png(6000, 6000)),
        ("a picture of 1500 x 1500", png(1500, 1500)),
        ("a header of 2^31 x 2^31", png(2**31 - 1, 2**31 - 1, rows=0)),
        ("a header of 4096 x 4096 without rows", png(4096, 4096, rows=1)),
        ("0 x 0", png(0, 0)),
        ("a line", png(16384, 1)),
        ("4 GB of sound", wav(100, claimed=2**32 - 40)),
        ("half of the sound", wav(100, claimed=400)),
        ("65535 channels", wav(100, channels=65535)),
        ("no channels", wav(100, channels=0)),
        ("64 bits", wav(100, bits=64)),
        ("rate 2^32", wav(100, rate_hz=2**32 - 1)),
        ("rate 0", wav(100, rate_hz=0)),
        ("a long silence", wav(400_000)),
        (
            "a FLAC that never ends",
            b"fLaC\x80\x00\x00\x22\x10\x00\x10\x00" + b"\0" * 6 + b"\x0a\xc4\x42\xff" + b"\xff" * 20,
        ),
        ("65535 tracks", b"MThd" + struct.pack(">IHHH", 6, 1, 65535, 480) + b"MTrk\xff\xff\xff\xff"),
        ("a track of nothing", b"MThd" + struct.pack(">IHHH", 6, 0, 1, 1) + b"MTrk" + struct.pack(">I", 0)),
        (
            "a note of years",
            b"MThd"
            + struct.pack(">IHHH", 6, 0, 1, 1)
            + b"MTrk"
            + struct.pack(">I", 8)
            + b"\xff\xff\xff\x7f\x90\x40\x40\x00",
        ),
    ]


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
