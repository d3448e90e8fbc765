"""`sextant generate table`: rows of numbers, as CSV."""

import csv
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from sextant.cli.asking import tell_choice
from sextant.cli.terminal import Model, Seed, Target, Timeout, connect
from sextant.client.requests import GenerateOptions
from sextant.contract.errors import SextantError
from sextant.contract.media import Modality, Table
from sextant.contract.tasks import FlowParameters


def table(
    rows: Annotated[int, typer.Option(help="How many rows.")] = 10,
    out: Annotated[Path, typer.Option(help="A .csv file; - is the terminal.")] = Path("-"),
    temperature: Annotated[float | None, typer.Option(help="Below 1 nearer to the mean.")] = None,
    model: Model = "",
    seed: Seed = None,
    timeout: Timeout = None,
    target: Target = None,
) -> None:
    """Make rows of numbers like those that a model was trained on."""
    options: GenerateOptions = {
        "model": model,
        "seed": seed,
        "output": Modality.TABLE,
        "rows": rows,
        "flow": None if temperature is None else FlowParameters(temperature=temperature),
    }
    with connect(target) as client:
        stream = client.generate(timeout=timeout, **options).read()
    made = stream.only_answer().media
    if not isinstance(made, Table):
        raise SextantError(f"a table was asked for, and a {type(made).__name__.lower()} came")
    to_terminal = str(out) == "-"
    with nullcontext(sys.stdout) if to_terminal else out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(made.columns)
        writer.writerows([f"{value:.6g}" for value in row] for row in made.values)
    if not to_terminal:
        print(f"{out}  {len(made.values)} rows of {len(made.columns)}")
        tell_choice(stream)
