"""`sextant compare`: the families beside each other, by what was measured of them on one data set."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from sextant.bundles.store import SHIPPED_DIRECTORY
from sextant.cli.terminal import AsJson, print_json
from sextant.zoo.comparison.matrix import PROPERTIES, Matrix
from sextant.zoo.comparison.matrix import compare as compared
from sextant.zoo.comparison.page import cell, stars, write_page
from sextant.zoo.comparison.plot import write_plot
from sextant.zoo.comparison.trials import RECORD

_PICTURES = (".png", ".svg")


def compare(
    plot: Annotated[
        Path | None, typer.Option(help="Also as bars, into this file: .png or .svg. Needs 'sextant[plots]'.")
    ] = None,
    markdown: Annotated[Path | None, typer.Option(help="Also as a page, into this file.")] = None,
    bundles: Annotated[Path, typer.Option(help="Directory of the bundles to compare.")] = SHIPPED_DIRECTORY,
    trials: Annotated[Path, typer.Option(help="The record that `sextant zoo stability` wrote.")] = RECORD,
    as_json: AsJson = False,
) -> None:
    """Compare the families of pictures on one data set: quality, diversity, speed, controllability, stability."""
    if plot is not None and plot.suffix not in _PICTURES:
        raise typer.BadParameter(f"--plot ends in {' or '.join(_PICTURES)}, not {plot.suffix!r}")
    matrix = compared(bundles, trials)
    if plot is not None:
        write_plot(matrix, plot)
    if markdown is not None:
        write_page(matrix, markdown, plot)
    if as_json:
        content = matrix.trials.model_dump(mode="json")
        print_json({"properties": PROPERTIES, "models": matrix.models, "trials": content})
    else:
        _show(matrix)


def _show(matrix: Matrix) -> None:
    table = Table("model", "family", *(column.name for column in PROPERTIES))
    for one in matrix.models:
        cells = (f"{cell(p, one.values[p.name])}\n{stars(one.stars[p.name])}".strip() for p in PROPERTIES)
        table.add_row(one.model, one.family, *cells)
    Console().print(table)
    print("Stars: the share of these models, in fifths, that one is at least as good as.")
