"""Options that commands about pictures share, and how their answers are told."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from sextant.client import EventStream
from sextant.contract.errors import SextantError
from sextant.contract.media import Image
from sextant.contract.options import Priority
from sextant.contract.tasks import Conditions

Label = Annotated[str, typer.Option("--class", help="A class that the model knows, for example sneaker.")]
Attributes = Annotated[
    list[str] | None, typer.Option("--attribute", help="NAME=VALUE, of an attribute that the model knows; repeatable.")
]
Grid = Annotated[Path | None, typer.Option("--grid", help="Also all pictures on one sheet, written here.")]
Matters = Annotated[Priority | None, typer.Option("--priority", help="What matters most; the guide reads it.")]


def conditions_of(label: str, attributes: Iterable[str] | None) -> Conditions:
    """What the answer should be like. Raises `typer.BadParameter` for an attribute without a value."""
    found = {}
    for given in attributes or ():
        name, equals, value = given.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"an attribute is NAME=VALUE, not {given!r}")
        found[name] = value
    return Conditions(class_label=label, attributes=found)


def pictures_of(stream: EventStream) -> dict[int, Image]:
    """The pictures of a stream that was read, by item."""
    found = {item: answer.media for item, answer in sorted(stream.answers.items())}
    return {item: media for item, media in found.items() if isinstance(media, Image)}


def tell_choice(stream: EventStream, *, seed: bool = True) -> None:
    """A line that says which model answered, why, and in what time."""
    if stream.receipt is None or stream.decision is None:
        raise SextantError("the stream ended without its receipt")
    drawn = f", seed {stream.seed}" if seed else ""
    print(f"{stream.receipt.model} in {1000 * stream.receipt.total_s:.0f} ms{drawn}: {stream.decision.explanation}")
