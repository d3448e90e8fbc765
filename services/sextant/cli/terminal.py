"""What commands share: where the gateway is, how errors and JSON are printed."""

import dataclasses
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from sextant.cli.run_state import read_state
from sextant.client import Client, ClientError, InvalidArgument, Tls, Unavailable, as_line
from sextant.client.connection import DEFAULT_TARGET
from sextant.client.stored import Keep
from sextant.contract.errors import SextantError
from sextant.contract.v1 import receipts_pb2

Target = Annotated[
    str | None,
    typer.Option("--target", help="The gateway, host:port. Default: SEXTANT_TARGET, or what `sextant up` started."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Model = Annotated[str, typer.Option("--model", help="A model by name. Default: the guide chooses.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of all randomness. Default: drawn by the server.")]
Timeout = Annotated[float | None, typer.Option("--timeout", min=0.0, help="Seconds for the whole answer.")]


@dataclass(slots=True)
class Connection:
    """What was said before the command: where the gateway is, and how to speak to it."""

    target: str | None = None
    tls: Tls | None = None
    api_key: str | None = None
    receipts: Path | None = None


# One command a process; `app` fills it in before the command runs.
CONNECTION = Connection()


def given_target(target: str | None) -> str | None:
    """The gateway that the caller named: with the command, before it, or in the environment."""
    return target or CONNECTION.target


def connect(target: str | None, *, keep: bool = True) -> Client:
    """A client for `target`, for the one named before the command, for the platform that runs here, or the default.

    It keeps the receipts of its answers if they are wanted, unless told not to.
    """
    named = given_target(target)
    if named is None:
        state = read_state()
        named = state.target if state else DEFAULT_TARGET
    receipts = CONNECTION.receipts if keep else None
    return Client(
        named,
        tls=CONNECTION.tls,
        api_key=CONNECTION.api_key,
        keep=None if receipts is None else _keeping(receipts),
    )


def _keeping(path: Path) -> Keep:
    """Writes answers into a new file, a line each."""
    path.write_text("", encoding="utf-8")

    def keep(answer: receipts_pb2.StoredAnswer) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(as_line(answer))

    return keep


def tls_from(ca: Path | None, certificate: Path | None, key: Path | None, *, wanted: bool) -> Tls | None:
    """TLS if it was asked for, or if any of its files was given."""
    if (certificate is None) != (key is None):
        raise typer.BadParameter("--tls-certificate and --tls-key go together")
    return Tls(ca, certificate, key) if wanted or ca or certificate else None


def key_from(given: str | None, file: Path | None) -> str | None:
    """The API key that was given, or the one in `file`. SextantError where there is none in it."""
    if given or file is None:
        return given or None
    key = file.read_text(encoding="utf-8", errors="replace").strip()
    if not key or not key.isascii() or not key.isprintable():
        raise SextantError(f"{file}: holds no API key")
    return key


def complain(error: Exception) -> None:
    """One plain line for each thing that is wrong."""
    if isinstance(error, InvalidArgument) and error.fields:
        for violation in error.fields:
            print(f"sextant: {_printable(f'{violation.field}: {violation.description}')}", file=sys.stderr)
        return
    hint = ""
    if isinstance(error, Unavailable) and not error.reason:
        hint = " (is the platform running? `sextant up` starts it)"
    request = f" [request {error.request_id}]" if isinstance(error, ClientError) and error.request_id else ""
    print(f"sextant: {_printable(str(error))}{hint}{request}", file=sys.stderr)


def print_json(content: Any, *, indent: int | None = 2) -> None:
    """`content` as JSON on stdout.

    Arrays as lists, bytes as UTF-8 where they are, dataclasses as objects, and as protobuf does it the numbers that
    JSON does not have as "NaN", "Infinity" and "-Infinity".
    """
    print(json.dumps(_plain(content), indent=indent, ensure_ascii=False, allow_nan=False), flush=True)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    match value:
        case np.ndarray():
            return _plain(value.tolist())
        case bytes():
            return value.decode("utf-8", "backslashreplace")
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _printable(text: str) -> str:
    """Without the lone surrogates that stand for bytes of a command line that were not UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
