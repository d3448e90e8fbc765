"""`sextant chat`: a conversation in the terminal, or line by line for programs."""

import json
import sys
from typing import Annotated

import typer

from sextant.cli.terminal import AsJson, Model, Seed, Target, Timeout, complain, connect, print_json
from sextant.client import Client, ClientError, TextStream
from sextant.client.requests import TextOptions
from sextant.contract.tasks import ChatMessage, Role


def chat(
    system: Annotated[str | None, typer.Option(help="Instructions for the whole conversation.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Most tokens of each answer.")] = None,
    temperature: Annotated[float | None, typer.Option(help="0 is greedy.")] = None,
    model: Model = "",
    seed: Seed = None,
    timeout: Timeout = None,
    target: Target = None,
    as_json: AsJson = False,
) -> None:
    """Talk with a language model. /reset forgets, /exit leaves, Ctrl-C stops an answer.

    With --json, each line of stdin is a message of yours, plain or as a JSON string, and is answered by a JSON object
    on a line: the answer with its receipt, or the error.
    """
    start = [ChatMessage(Role.SYSTEM, system)] if system else []
    history = [*start]
    options: TextOptions = {"model": model, "seed": seed, "max_tokens": max_tokens, "temperature": temperature}
    with connect(target) as client:
        while (said := _hear(as_json=as_json)) is not None:
            if said in ("/exit", "/quit"):
                break
            if said == "/reset":
                history = [*start]
                continue
            if not said:
                continue
            asked = [*history, ChatMessage(Role.USER, said)]
            try:
                stream = _answer(client, asked, timeout, options, as_json=as_json)
            except ClientError as error:
                if as_json:
                    print_json({"error": str(error), "reason": error.reason}, indent=None)
                else:
                    complain(error)
                continue
            if stream.text:
                history = [*asked, ChatMessage(Role.ASSISTANT, stream.text)]


def _hear(*, as_json: bool) -> str | None:
    """The next message; None at the end of input."""
    if as_json or not sys.stdin.isatty():
        line = sys.stdin.readline()
        return _message(line.strip(), as_json=as_json) if line else None
    while True:
        try:
            return input("> ").strip()
        except EOFError:
            print()
            return None
        except KeyboardInterrupt:
            # A second Ctrl-C that comes just after an answer must not cost the whole conversation.
            print("\n(/exit or Ctrl-D leaves)")


def _message(line: str, *, as_json: bool) -> str:
    """What a line says: the string where it is a JSON one, which may hold line breaks; else itself."""
    if as_json and line.startswith('"'):
        try:
            said = json.loads(line)
        except ValueError:
            return line
        return said if isinstance(said, str) else line
    return line


def _answer(
    client: Client, asked: list[ChatMessage], timeout: float | None, options: TextOptions, *, as_json: bool
) -> TextStream:
    """The answer, shown as it comes; in a terminal, as far as it came if Ctrl-C stops it."""
    stream = client.generate_text(asked, timeout=timeout, **options)
    if as_json:
        stream.read()
        finish = {item: answer.finish_reason for item, answer in stream.answers.items()}.get(0)
        print_json({"answer": stream.text, "finish_reason": finish, "receipt": stream.receipt}, indent=None)
        return stream
    pieces = stream.pieces()
    try:
        for piece in pieces:
            print(piece.text, end="", flush=True)
    except KeyboardInterrupt:
        pieces.close()
        if not sys.stdin.isatty():
            raise
    finally:
        print()
    return stream
