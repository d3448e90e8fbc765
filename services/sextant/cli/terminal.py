"""What commands share: where the gateway is, how errors and JSON are printed."""

import dataclasses
import json
import os
import sys
from typing import Annotated, Any

import numpy as np
import typer

from sextant.cli.run_state import read_state
from sextant.client import Client
from sextant.client.connection import DEFAULT_TARGET
from sextant.client.errors import ClientError, InvalidArgument, Unavailable

Target = Annotated[
    str | None,
    typer.Option(
        "--target", envvar="SEXTANT_TARGET", help="The gateway, host:port. Default: the one that `sextant up` started."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Model = Annotated[str, typer.Option("--model", help="A model by name. Default: the guide chooses.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of all randomness. Default: drawn by the server.")]
Timeout = Annotated[float | None, typer.Option("--timeout", help="Seconds for the whole answer.")]


def connect(target: str | None) -> Client:
    """A client for `target`, for the platform that runs here, or for the default address."""
    state = read_state()
    return Client(target or (state.target if state else DEFAULT_TARGET))


def complain(error: Exception) -> None:
    """One plain line for each thing that is wrong."""
    if isinstance(error, InvalidArgument) and error.fields:
        for violation in error.fields:
            print(f"sextant: {violation.field}: {violation.description}", file=sys.stderr)
        return
    hint = ""
    if isinstance(error, Unavailable) and not error.reason:
        hint = " (is the platform running? `sextant up` starts it)"
    request = f" [request {error.request_id}]" if isinstance(error, ClientError) and error.request_id else ""
    print(f"sextant: {error}{hint}{request}", file=sys.stderr)


def print_json(content: Any, *, indent: int | None = 2) -> None:
    """`content` as JSON on stdout; arrays as lists, bytes as UTF-8 where they are, dataclasses as objects."""
    print(json.dumps(content, default=_plain, indent=indent, ensure_ascii=False), flush=True)


def is_terminal() -> bool:
    """Whether a person is looking."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    raise TypeError(f"{type(value).__name__} has no JSON form")
