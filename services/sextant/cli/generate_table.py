"""`sextant generate table`: rows of numbers, as CSV."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from sextant.cli.asking import account_of, tell_choice
from sextant.cli.table_files import table_file, write_rows, write_table
from sextant.cli.terminal import AsJson, Model, Seed, Target, Timeout, connect, print_json
from sextant.client.requests import GenerateOptions
from sextant.contract.errors import SextantError
from sextant.contract.media import Modality, Table
from sextant.contract.tasks import FlowParameters


def table(
    rows: Annotated[int, typer.Option(help="How many rows.")] = 10,
    out: Annotated[Path, typer.Option(callback=table_file, help="A .csv file; - is the terminal.")] = Path("-"),
    temperature: Annotated[float | None, typer.Option(help="Below 1 nearer to the mean.")] = None,
    model: Model = "",
    seed: Seed = None,
    timeout: Timeout = None,
    target: Target = None,
    as_json: AsJson = False,
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
    if not to_terminal:
        write_table(out, made)
    if as_json:
        place = {} if to_terminal else {"file": str(out)}
        print_json({**place, "columns": made.columns, "values": made.values, **account_of(stream)})
    elif to_terminal:
        write_rows(sys.stdout, made)
    else:
        print(f"{out}  {len(made.values)} rows of {len(made.columns)}")
        tell_choice(stream)
