"""`sextant chat`: a conversation in the terminal, or line by line for programs."""

import json
import sys
from typing import Annotated

import typer

from sextant.cli.terminal import AsJson, Model, Seed, Target, complain, connect, print_json
from sextant.client import Client, ClientError
from sextant.contract.tasks import ChatMessage, Role


def chat(
    system: Annotated[str | None, typer.Option(help="Instructions for the whole conversation.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Most tokens of each answer.")] = None,
    temperature: Annotated[float | None, typer.Option(help="0 is greedy.")] = None,
    model: Model = "",
    seed: Seed = None,
    target: Target = None,
    as_json: AsJson = False,
) -> None:
    """Talk with a language model. /reset forgets, /exit leaves, Ctrl-C stops an answer.

    With --json, each line of stdin is a message of yours and each line of stdout a JSON object with the answer.
    """
    start = [ChatMessage(Role.SYSTEM, system)] if system else []
    history = [*start]
    with connect(target) as client:
        while (said := _hear(quiet=as_json)) is not None:
            if said in ("/exit", "/quit"):
                break
            if said == "/reset":
                history = [*start]
                continue
            if not said:
                continue
            asked = [*history, ChatMessage(Role.USER, said)]
            try:
                answer = _answer(client, asked, model, seed, max_tokens, temperature, quiet=as_json)
            except ClientError as error:
                if as_json:
                    print_json({"error": str(error)}, indent=None)
                else:
                    complain(error)
                continue
            if as_json:
                print_json({"answer": answer}, indent=None)
            history = [*asked, ChatMessage(Role.ASSISTANT, answer)] if answer else history


def _hear(*, quiet: bool) -> str | None:
    """The next message; None at the end of input."""
    try:
        if quiet or not sys.stdin.isatty():
            line = sys.stdin.readline()
            if not line:
                return None
            text = line.strip()
            return str(json.loads(text)) if quiet and text.startswith('"') else text
        return input("> ").strip()
    except (EOFError, KeyboardInterrupt):
        return None


def _answer(
    client: Client,
    asked: list[ChatMessage],
    model: str,
    seed: int | None,
    max_tokens: int | None,
    temperature: float | None,
    *,
    quiet: bool,
) -> str:
    """The answer, shown as it comes; what there is of it if Ctrl-C stops it."""
    said = ""
    stream = client.generate_text(asked, model=model, seed=seed, max_tokens=max_tokens, temperature=temperature)
    pieces = stream.pieces()
    try:
        for piece in pieces:
            said += piece.text
            if not quiet:
                print(piece.text, end="", flush=True)
    except KeyboardInterrupt:
        pieces.close()
    if not quiet:
        print()
    return said
