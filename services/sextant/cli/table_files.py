"""Tables as files: CSV with a line of column names, then a line of numbers for each row."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
import typer

from sextant.contract.media import Table

TABLE = ".csv"


@dataclass(frozen=True, slots=True)
class Rows:
    """A table, and the line in the file on which each of its rows ends, from 1."""

    table: Table
    lines: tuple[int, ...]


def read_rows(path: Path) -> Rows:
    """What is in the file; empty lines do not count. Raises `typer.BadParameter`, naming the line at fault."""
    names: list[str] = []
    rows: list[list[float]] = []
    lines: list[int] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets begin with a byte-order mark
            reader = csv.reader(file)
            for cells in reader:
                if not cells:
                    continue
                if not names:
                    names = cells
                    continue
                if len(cells) != len(names):
                    raise ValueError(f"line {reader.line_num} has {len(cells)} cells, not {len(names)}")
                rows.append([_number(cell, reader.line_num) for cell in cells])
                lines.append(reader.line_num)
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, csv.Error) as error:
        raise typer.BadParameter(f"{path} is no table of numbers: {error}") from error
    if not rows:
        raise typer.BadParameter(f"{path} is no table: it needs a line of column names and one of numbers at least")
    return Rows(Table(tuple(names), np.array(rows)), tuple(lines))


def table_file(path: Path) -> Path:
    """The path itself if a table can be written there (- is the terminal); `typer.BadParameter` if not."""
    if str(path) != "-" and path.suffix.lower() != TABLE:
        raise typer.BadParameter(f"{str(path)!r} must end in {TABLE}")
    return path


def write_table(path: Path, table: Table) -> None:
    """See `write_rows`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        write_rows(file, table)


def write_rows(file: TextIO, table: Table) -> None:
    """The fewest digits from which the very same numbers are read back."""
    writer = csv.writer(file)
    writer.writerow(table.columns)
    writer.writerows([str(value) for value in row] for row in table.values)


def _number(cell: str, line: int) -> float:
    try:
        return float(cell)
    except ValueError:
        raise ValueError(f"{cell!r} on line {line} is no number") from None
