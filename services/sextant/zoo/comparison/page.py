"""docs/comparison.md, written from the matrix: no figure in it is typed by hand."""

from collections.abc import Callable
from pathlib import Path

from sextant.zoo.comparison.matrix import PROPERTIES, Compared, Matrix, Property

_HEAD = """# The families compared

Written by `sextant compare --markdown` from the bundles' manifests and from `sextant zoo stability`'s record: do not
edit. All of these models were trained on one data set, Fashion-MNIST (28 x 28, grey, ten classes), and judged alike;
how is told in [training.md](training.md). What else a family can do, exact likelihoods for one, is not in this table:
see [models.md](models.md) and the [guide](guide.md), which chooses by the same figures.
"""


def page(matrix: Matrix, plot: str = "") -> str:
    """The whole page; `plot` is where its picture lies, seen from it."""
    picture = [f"![The same as bars]({plot})\n"] if plot else []
    parts = [_HEAD, _figures(matrix), *picture, _stars(matrix), _columns(), _trials(matrix)]
    return "\n".join(parts)


def write_page(matrix: Matrix, path: Path, plot: Path | None = None) -> None:
    """Put the page at `path`, with the picture at `plot` where there is one."""
    shown = "" if plot is None else plot.resolve().relative_to(path.resolve().parent).as_posix()
    path.write_text(page(matrix, shown), encoding="utf-8")


def cell(column: Property, value: float | None) -> str:
    """A value as it is shown: seconds in milliseconds; "" for none."""
    if value is None:
        return ""
    return f"{1000 * value:.1f} ms" if column.unit == "s" else f"{value:.3f}"


def stars(count: int) -> str:
    """Stars, and a dash for none."""
    return "★" * count or "–"


def _figures(matrix: Matrix) -> str:
    return "## Measured\n\n" + _table(matrix, lambda one, column: cell(column, one.values[column.name]))


def _stars(matrix: Matrix) -> str:
    about = (
        "The same as quantiles: five stars for the best of the column, and for each the share of the models, in fifths "
        "rounded up, that it is at least as good as. A dash is for what a model cannot be asked for.\n\n"
    )
    return "## At a glance\n\n" + about + _table(matrix, lambda one, column: stars(one.stars[column.name]))


def _table(matrix: Matrix, shown: Callable[[Compared, Property], str]) -> str:
    heads = ("model", "kind", *(column.name for column in PROPERTIES))
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for one in matrix.models:
        kind = f"{one.architecture} ({one.family})"
        lines.append(f"| {' | '.join((one.model, kind, *(shown(one, column) for column in PROPERTIES)))} |")
    return "\n".join(lines) + "\n"


def _columns() -> str:
    lines = [
        f"- **{p.name}** (`{p.measure}`, {'more' if p.more_is_better else 'less'} is better): {p.about}."
        for p in PROPERTIES
    ]
    return "## What the columns are\n\n" + "\n".join(lines) + "\n"


def _trials(matrix: Matrix) -> str:
    trials = matrix.trials
    seeds = ", ".join(map(str, trials.seeds))
    about = (
        f"Each model was trained from seeds {seeds} for {trials.core_s:g} seconds of one core, counted by processor "
        f"time and turned into a number of steps measured once ({trials.machine}; torch {trials.torch}). So short a "
        "training is far from what ships; what is compared is how far the seeds lie apart. Its last weights were "
        f"judged by {trials.judged}.\n"
    )
    lines = ["| model | steps | quality by seed | best minus worst | failed |", "|---|---|---|---|---|"]
    for one in matrix.models:
        tried = trials.models.get(one.model)
        if tried is not None:
            by_seed = ", ".join(f"{quality:.3f}" for quality in one.qualities_by_seed)
            spread = "" if tried.spread is None else f"{tried.spread:.3f}"
            lines.append(f"| {one.model} | {tried.steps} | {by_seed} | {spread} | {one.failed} |")
    return "## Stability over seeds\n\n" + about + "\n" + "\n".join(lines) + "\n"
