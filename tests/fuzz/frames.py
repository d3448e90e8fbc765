"""HTTP/2 and gRPC as they must not be: what a connection gets that no gRPC library would send."""

import random
import struct
from collections.abc import Callable, Sequence

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _PRIORITY, _RST, _SETTINGS, _PUSH, _PING, _GOAWAY, _WINDOW, _CONTINUATION = range(10)
_END_STREAM, _END_HEADERS, _PADDED = 0x1, 0x4, 0x8
_PATHS = (b"/sextant.v1.Generation/Generate", b"/sextant.v1.Generation/Encode", b"/sextant.v1.Models/ListModels")


def frame(kind: int, flags: int = 0, stream: int = 0, body: bytes = b"", length: int | None = None) -> bytes:
    """A frame; `length` is what its header says, if not the truth."""
    size = len(body) if length is None else length
    return struct.pack(">I", size & 0xFFFFFF)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body


def _header(name: bytes, value: bytes) -> bytes:
    """A literal without indexing (RFC 7541, 6.2.2)."""
    return b"\0" + _length(name) + name + _length(value) + value


def _length(text: bytes) -> bytes:
    if len(text) < 127:
        return bytes([len(text)])
    rest, out = len(text) - 127, bytearray([127])
    while rest >= 128:
        out.append(rest % 128 + 128)
        rest //= 128
    return bytes([*out, rest])


def _call(path: bytes, **other: bytes) -> bytes:
    """The header block of a gRPC call."""
    fields = {b":method": b"POST", b":scheme": b"http", b":path": path, b":authority": b"x", b"te": b"trailers"}
    fields[b"content-type"] = b"application/grpc"
    fields |= {name.replace("_", "-").replace("..", ":").encode(): value for name, value in other.items()}
    return b"".join(_header(name, value) for name, value in fields.items())


def call_to(path: bytes) -> bytes:
    """A connection that makes a call of this path, otherwise a proper one."""
    return _PREFACE + frame(_SETTINGS) + frame(_HEADERS, _END_HEADERS, 1, _call(path)) + frame(_DATA, 1, 1, bytes(5))


class Attacks:
    """Draws the bytes of whole connections."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._kinds: Sequence[Callable[[], bytes]] = (
            *(self._garbage, self._http1, self._silence, self._bent_frames, self._bent_frames, self._wrong_streams),
            *(self._headers, self._headers, self._messages, self._messages, self._floods, self._reset_flood),
        )

    def one(self) -> tuple[str, bytes]:
        """What kind it is, and the bytes."""
        kind = self._random.choice(self._kinds)
        return kind.__name__.strip("_"), kind()

    def _open(self) -> bytes:
        return _PREFACE + frame(_SETTINGS)

    def _garbage(self) -> bytes:
        return self._random.choice((b"", _PREFACE)) + self._random.randbytes(self._random.randrange(1, 600))

    def _http1(self) -> bytes:
        return self._random.choice((b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST /x HTTP/1.0\r\n\r\n" + bytes(200)))

    def _silence(self) -> bytes:
        return self._random.choice((b"", _PREFACE, _PREFACE[:11], self._open()))

    def _bent_frames(self) -> bytes:
        """Frames of any kind with any flags, lengths that lie, settings beyond their ranges."""
        out = self._open()
        for _ in range(self._random.randint(1, 6)):
            body = self._random.randbytes(self._random.choice((0, 1, 4, 5, 6, 8, 9, 17, 200)))
            length = self._random.choice((None, None, None, 0, 1, 16384, 2**24 - 1))
            stream = self._random.choice((0, 0, 1, 2, 3, 2**31 - 1))
            out += frame(self._random.randrange(16), self._random.randrange(256), stream, body, length)
        return out

    def _wrong_streams(self) -> bytes:
        """Streams that are even, go down, come twice, or get data before they are open."""
        block = _call(self._random.choice(_PATHS))
        numbers = [self._random.choice((0, 1, 2, 3, 5, 5, 7, 2**31 - 1)) for _ in range(4)]
        opened = b"".join(frame(_HEADERS, _END_HEADERS, number, block) for number in numbers)
        return self._open() + frame(_DATA, 0, numbers[-1], bytes(9)) + opened

    def _headers(self) -> bytes:
        """Calls whose headers are wrong, broken, very many or very long."""
        path = self._random.choice((*_PATHS, b"", b"/", b"no/slash", b"/x/y", b"/" + b"a" * 5000))
        wrong: dict[str, bytes] = self._random.choice(
            (
                {"content_type": b"text/html"},
                {"te": b"x"},
                {"grpc_timeout": self._random.choice((b"", b"1", b"-1S", b"99999999999H", b"1n", b"0S", b"xS"))},
                {"grpc_encoding": b"nonesuch"},
                {"grpc_encoding": b"gzip"},
                {"grpc_accept_encoding": b"," * 500},
                {"x_bin": b"!!not base64!!"},
                {"x": bytes(range(1, 32))},
                {"x" * 200: b"y" * 12_000},
                {f"x{n}": b"y" for n in range(300)},
                {},
            )
        )
        block = _call(path, **wrong)
        if self._random.random() < 0.3:
            bent = bytearray(block)
            for _ in range(5):
                bent[self._random.randrange(len(bent))] = self._random.randrange(256)
            block = bytes(bent)
        if len(block) > 16_000:
            rest = block[16_000:]
            return self._open() + frame(_HEADERS, 0, 1, block[:16_000]) + frame(_CONTINUATION, _END_HEADERS, 1, rest)
        return self._open() + frame(_HEADERS, _END_HEADERS, 1, block) + frame(_DATA, _END_STREAM, 1, bytes(5))

    def _messages(self) -> bytes:
        """A proper call whose message lies about its length, is compressed by nothing, comes twice, or never ends."""
        opened = self._open() + frame(_HEADERS, _END_HEADERS, 1, _call(self._random.choice(_PATHS)))
        body = self._random.choice(
            (
                b"\0\xff\xff\xff\xff" + bytes(20),
                b"\x01\0\0\0\x04abcd",
                b"\x07\0\0\0\x00",
                b"\0\0\0\0\x05ab",
                (b"\0" + bytes(4)) * 2,
                b"\0\0\0",
                b"",
                b"\0\x00\x00\x40\x00" + self._random.randbytes(0x4000 - 5),
            )
        )
        return opened + frame(_DATA, self._random.choice((0, _END_STREAM, _PADDED)), 1, body)

    def _floods(self) -> bytes:
        """Very many small frames of one kind."""
        kind, body, stream = self._random.choice(
            (
                (_PING, bytes(8), 0),
                (_SETTINGS, b"", 0),
                (_SETTINGS, struct.pack(">HI", 4, 2**31), 0),
                (_WINDOW, struct.pack(">I", 0), 0),
                (_WINDOW, struct.pack(">I", 2**31 - 1), 0),
                (_PRIORITY, struct.pack(">IB", 1, 1), 1),
                (_CONTINUATION, b"\0\x01a\x01b", 1),
            )
        )
        start = frame(_HEADERS, 0, 1, _call(_PATHS[0])) if kind == _CONTINUATION else b""
        return self._open() + start + frame(kind, 0, stream, body) * self._random.choice((3, 300))

    def _reset_flood(self) -> bytes:
        """Calls that are taken back at once (CVE-2023-44487)."""
        block = _call(self._random.choice(_PATHS))
        calls = (
            frame(_HEADERS, _END_HEADERS, number, block) + frame(_RST, 0, number, struct.pack(">I", 8))
            for number in range(1, 2 * self._random.choice((5, 150)), 2)
        )
        return self._open() + b"".join(calls)
