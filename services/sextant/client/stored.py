"""Requests kept with the receipts of their answers, so that both can be asked for again."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from sextant.contract.errors import SextantError
from sextant.contract.v1 import generation_pb2, receipts_pb2

# What a client does with each answer that came to its end.
Keep = Callable[[receipts_pb2.StoredAnswer], None]


def stored(kind: str, request: Any, receipt: generation_pb2.Receipt) -> receipts_pb2.StoredAnswer:
    """A request of that kind, with its receipt."""
    answer = receipts_pb2.StoredAnswer(receipt=receipt)
    getattr(answer, kind).CopyFrom(request)
    return answer


def as_line(answer: receipts_pb2.StoredAnswer) -> str:
    """One line of a file of receipts, with its end."""
    return json_format.MessageToJson(answer, indent=None, preserving_proto_field_name=True) + "\n"


def read_stored(path: Path) -> Iterator[receipts_pb2.StoredAnswer]:
    """The answers in a file of receipts. SextantError with the line that is none; OSError."""
    yield from _answers(path.read_bytes().decode("utf-8", "replace").splitlines(), path)


def _answers(lines: Iterable[str], path: Path) -> Iterator[receipts_pb2.StoredAnswer]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        answer = receipts_pb2.StoredAnswer()
        try:
            # What a later version added must not keep this one from asking.
            json_format.Parse(line, answer, ignore_unknown_fields=True)
        except json_format.ParseError as error:
            raise SextantError(f"{path}:{number}: is no stored answer: {error}") from error
        if answer.WhichOneof("request") is None or not answer.receipt.items:
            raise SextantError(f"{path}:{number}: is no stored answer: it lacks the request or its receipt")
        yield answer
