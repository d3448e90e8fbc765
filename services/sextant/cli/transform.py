"""`sextant transform`: pictures made out of pictures."""

from pathlib import Path
from typing import Annotated

import typer

from sextant.cli.asking import Attributes, Grid, Label, Matters, conditions_of, pictures_of, tell_choice
from sextant.cli.contact_sheet import write_sheet
from sextant.cli.media_files import read_picture, write_picture
from sextant.cli.terminal import Model, Seed, Target, Timeout, connect
from sextant.client.requests import TransformOptions


def transform(
    sources: Annotated[list[Path], typer.Argument(help="Pictures.")],
    direction: Annotated[str, typer.Option(help="Of a translator, for example noto-to-fluent.")] = "",
    attributes: Attributes = None,
    label: Label = "",
    strength: Annotated[float | None, typer.Option(help="How far to depart from the source.")] = None,
    mask: Annotated[Path | None, typer.Option(help="A picture: white is changed, black is kept.")] = None,
    out: Annotated[Path, typer.Option(help="Directory for the results.")] = Path(),
    grid: Grid = None,
    priority: Matters = None,
    model: Model = "",
    seed: Seed = None,
    timeout: Timeout = None,
    target: Target = None,
) -> None:
    """Translate or edit pictures. Each result is a file SOURCE-MODEL.png; --grid puts each under its source."""
    named = [*(attributes or ()), *([f"direction={direction}"] if direction else [])]
    options: TransformOptions = {
        "model": model,
        "seed": seed,
        "priority": priority,
        "conditions": conditions_of(label, named),
        "strength": strength,
    }
    if mask is not None:
        options["mask"] = read_picture(mask)
    given = [read_picture(source) for source in sources]
    made = []
    with connect(target) as client:
        for source, picture in zip(sources, given, strict=True):
            stream = client.transform(picture, timeout=timeout, **options).read()
            made.append(pictures_of(stream)[0])
            assert stream.receipt is not None
            path = out / f"{source.stem}-{stream.receipt.model}.png"
            write_picture(path, made[-1])
            print(path)
    if grid is not None:
        write_sheet(grid, [*given, *made], columns=len(given))
    tell_choice(stream, seed=False)
