"""The pictures of the guide's measurements."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.platform import ROOT

SAMPLES = ROOT / "docs" / "samples"


@contextmanager
def figure(path: Path, rows: int) -> Iterator[Any]:
    """Axes above each other with one x axis, written to `path` at the end; the same figures give the same bytes."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = path.stem
    from matplotlib import pyplot

    drawn, axes = pyplot.subplots(rows, 1, sharex=True, figsize=(7, 2.6 * rows), layout="constrained")
    try:
        yield axes
        path.parent.mkdir(parents=True, exist_ok=True)
        drawn.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    finally:
        pyplot.close(drawn)
