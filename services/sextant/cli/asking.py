"""Options that commands about pictures share, and how their answers are told."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from sextant.cli.media_files import picture_file
from sextant.client import Answer, Decided, EventStream, Receipt
from sextant.contract.errors import SextantError
from sextant.contract.events import Progress
from sextant.contract.media import Image
from sextant.contract.options import Priority
from sextant.contract.tasks import Conditions

Label = Annotated[str, typer.Option("--class", help="A class that the model knows, for example sneaker.")]
Attributes = Annotated[
    list[str] | None, typer.Option("--attribute", help="NAME=VALUE, of an attribute that the model knows; repeatable.")
]
Grid = Annotated[
    Path | None, typer.Option("--grid", callback=picture_file, help="Also all pictures on one sheet, written here.")
]
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


def pictures_of(stream: EventStream, previews: list[Image] | None = None) -> Iterator[tuple[int, Image]]:
    """The pictures of a stream as they come, with their numbers. SextantError where something else comes.

    What progress events show of the first picture is added to `previews`.
    """
    for event in stream.events():
        if isinstance(event, Progress) and isinstance(event.preview, Image) and not event.item and previews is not None:
            previews.append(event.preview)
        if isinstance(event, Answer):
            if not isinstance(event.media, Image):
                raise SextantError(
                    f"pictures were asked for, and the answer is of kind {type(event.media).__name__.lower()}"
                )
            yield event.item, event.media


def decision_of(stream: EventStream) -> Decided:
    """Which model answers, and why: known from the first event on."""
    if stream.decision is None:
        raise SextantError("the stream began without its decision")
    return stream.decision


def receipt_of(stream: EventStream) -> Receipt:
    """Of a stream that was read."""
    if stream.receipt is None:
        raise SextantError("the stream ended without its receipt")
    return stream.receipt


def account_of(stream: EventStream) -> dict[str, Any]:
    """How an answer came about, for --json."""
    return {"decision": decision_of(stream), "receipt": receipt_of(stream)}


def tell_choice(stream: EventStream, seconds: float | None = None, *, seed: bool = True) -> None:
    """A line that says which model answered, why, and in what time: the stream's, or `seconds` of several."""
    receipt = receipt_of(stream)
    took = receipt.total_s if seconds is None else seconds
    drawn = f", seed {receipt.seed}" if seed else ""
    print(f"{receipt.model} in {1000 * took:.0f} ms{drawn}: {decision_of(stream).explanation}")
