"""The matrix as a picture: a panel of bars for each property, PNG or SVG by the file's name."""

from pathlib import Path

from sextant.contract.errors import SextantError
from sextant.zoo.comparison.matrix import PROPERTIES, Matrix
from sextant.zoo.comparison.page import cell


def write_plot(matrix: Matrix, path: Path) -> None:
    """Draw the matrix into `path`; the same figures give the same bytes. Raises `SextantError` without matplotlib."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError as error:
        raise SextantError("matplotlib is not installed: pip install 'sextant[plots]'") from error
    matplotlib.rcParams["svg.hashsalt"] = "sextant"
    names = [one.model for one in matrix.models]
    drawn, panels = pyplot.subplots(2, 3, figsize=(10, 5.6), layout="constrained")
    for panel, column in zip(panels.flat, PROPERTIES, strict=True):
        values = [one.values[column.name] for one in matrix.models]
        bars = panel.barh(names, [value or 0.0 for value in values], color="tab:blue")
        panel.bar_label(bars, [cell(column, value) or "none" for value in values], fontsize=7, padding=2)
        panel.set_title(f"{column.name} ({'more' if column.more_is_better else 'less'} is better)", fontsize=9)
        panel.tick_params(labelsize=7)
        panel.invert_yaxis()
        panel.margins(x=0.3)
        panel.label_outer()
        panel.tick_params(labelbottom=True)
        if column.unit == "s":
            panel.set_xscale("log")
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=110)
    pyplot.close(drawn)
