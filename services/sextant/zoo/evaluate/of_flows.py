"""What flows are judged by: exact likelihoods beside baselines, and round trips."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw

from sextant.contract.events import Result
from sextant.contract.media import Image, Table
from sextant.contract.tasks import TaskKind
from sextant.families.row_network import RowNetwork
from sextant.runtime.session import SessionConfig
from sextant.zoo.data import fashion, tables
from sextant.zoo.evaluate import sheets
from sextant.zoo.evaluate.figures import Figures
from sextant.zoo.evaluate.gaussian_mixture import fit_gaussian_mixture
from sextant.zoo.evaluate.latency import add_latency
from sextant.zoo.evaluate.likelihood import bits_per_dimension, mean_nats
from sextant.zoo.evaluate.of_pictures import pictures
from sextant.zoo.evaluate.png_size import png_bits
from sextant.zoo.evaluate.references import SEED, fashion_reference
from sextant.zoo.evaluate.served import Served, about, latent_of


def glow(served: Served, figures: Figures, sheet: Path) -> None:
    """Glow on Fashion-MNIST: quality, exact likelihoods beside PNG's, and that nothing is lost."""
    pictures(served, figures, sheet, fashion_reference())
    images, _ = fashion.load("test")
    given = images[:2000]
    nats = served.nats(about(TaskKind.SCORE, map(Image, given)))
    figures.add("bits_per_dimension", bits_per_dimension(nats, given[0].size).value, "bit", "2000 test pictures, exact")
    png = png_bits(given[:500])
    figures.add("png_bits_per_dimension", png.files.value, "bit", "500 test pictures, smallest PNG files")
    figures.add("png_pixel_bits_per_dimension", png.pixels.value, "bit", "the same without the files' framing")
    codes = served.codes(given[:500])
    back = served.decoded(codes).astype(int)
    figures.add(
        "round_trip_pixel_error", float(np.abs(back - given[:500]).max()), "1", "500 test pictures, of 256 levels"
    )
    figures.add("round_trip_error", _round_trip(served, codes), "1", "codes of 500 test pictures decoded and encoded")


def _round_trip(served: Served, codes: NDArray[np.float32]) -> float:
    """Largest difference between x and inverse(forward(x)), in units where white is 1."""
    forward, inverse = (
        RowNetwork(served.bundle.file(f"{way}.onnx"), SessionConfig()) for way in ("forward", "inverse")
    )
    x = inverse.run({"z": codes})["x"]
    again = inverse.run({"z": forward.run({"x": x})["z"]})["x"]
    return float(np.abs(again - x).max()) / 256


def shuttle(served: Served, figures: Figures, sheet: Path) -> None:
    """RealNVP on the shuttle: likelihood beside two baselines, and whether it finds anomalies."""
    train, test = tables.shuttle("train"), tables.shuttle("test")
    rng = np.random.default_rng(SEED)
    normal, strange = test.values[~test.anomalous], test.values[test.anomalous]
    # The density is of dequantised rows: the same noise for all models that are compared.
    noisy = normal + rng.uniform(-0.5, 0.5, normal.shape).astype(np.float32)
    fitted_to = train.values + rng.uniform(-0.5, 0.5, train.values.shape)
    _density(served, figures, noisy, fitted_to, "held-out normal rows, dequantised")
    nats_normal, nats_strange = _row_nats(served, normal), _row_nats(served, strange)
    area = _area_under_roc(nats_normal, nats_strange)
    on = f"{len(strange)} anomalous and {len(normal)} normal held-out rows by their likelihood"
    figures.add("anomaly_auroc", area, "1", on)
    _histogram(nats_normal, nats_strange).save(sheet, optimize=True)


def moons(served: Served, figures: Figures, sheet: Path) -> None:
    """RealNVP on two moons: likelihood beside two baselines, and whether the density is one."""
    _density(
        served, figures, tables.moons(10_000, seed=7), tables.moons(20_000, seed=0).astype(float), "points drawn anew"
    )
    x, y = np.linspace(-2.5, 3.5, 241), np.linspace(-2.0, 2.5, 181)
    grid = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2).astype(np.float32)
    density = np.exp(_row_nats(served, grid)).reshape(len(y), len(x))
    integral = float(np.trapezoid(np.trapezoid(density, x, axis=1), y))
    figures.add("density_integral", integral, "1", "trapezoid rule on 241 x 181 points of [-2.5, 3.5] x [-2, 2.5]")
    shade = (255 * (density / density.max()) ** 0.5).astype(np.uint8)[::-1]
    sheets.grid(shade[None, :, :, None], 1, scale=2).save(sheet, optimize=True)


def _density(
    served: Served, figures: Figures, rows: NDArray[np.float32], fitted_to: NDArray[np.floating], what: str
) -> None:
    """The mean log-likelihood of the model and of two baselines on the same rows."""
    figures.add("log_likelihood", mean_nats(_row_nats(served, rows)).value, "nat", f"{len(rows)} {what}, mean, exact")
    for name, components in (("gaussian", 1), ("mixture_10", 10)):
        baseline = fit_gaussian_mixture(fitted_to, components)
        nats = mean_nats(baseline.log_likelihood(rows)).value
        figures.add(f"{name}_log_likelihood", nats, "nat", f"the same rows; {components} Gaussians, full covariance")
    encoded = served.results(about(TaskKind.ENCODE, _tables(served, rows[:2000])))
    decoded = served.results(about(TaskKind.DECODE, map(latent_of, encoded)))
    back = np.concatenate([_rows_of(result) for result in decoded])
    error = np.abs(back - rows[:2000]) / np.ptp(rows, axis=0)
    figures.add("round_trip_error", float(error.max()), "1", "2000 rows, where each column's range is 1")
    add_latency(served, figures)


def _row_nats(served: Served, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    return served.nats(about(TaskKind.SCORE, _tables(served, rows)))


def _tables(served: Served, rows: NDArray[np.float32]) -> Iterable[Table]:
    """A table of its own for each row."""
    columns = tuple(served.manifest.network["columns"])
    return (Table(columns, row[None]) for row in rows)


def _rows_of(result: Result) -> NDArray[np.floating]:
    if not isinstance(result.content, Table):
        raise TypeError(f"a table was expected, not {type(result.content).__name__}")
    return result.content.values


def _area_under_roc(higher: NDArray[np.float64], lower: NDArray[np.float64]) -> float:
    """The chance that one of `higher` is above one of `lower` (Mann-Whitney)."""
    ranked = np.sort(higher)
    below = len(ranked) - np.searchsorted(ranked, lower, side="right")
    return float(below.mean() / len(ranked))


def _histogram(normal: NDArray[np.float64], strange: NDArray[np.float64]) -> Pillow.Image:
    """How both are spread over log-likelihood: normal rows above in blue, anomalous ones below in red."""
    low = float(np.quantile(strange, 0.05))
    edges = np.linspace(low, float(normal.max()), 121)
    picture = Pillow.new("RGB", (len(edges) * 5, 240), "white")
    draw = ImageDraw.Draw(picture)
    for nats, base, sign, colour in ((normal, 118, -1, "#2563a8"), (strange, 122, 1, "#b3261e")):
        heights = np.histogram(nats.clip(low, None), edges)[0] ** 0.5
        for column, height in enumerate(100 * heights / heights.max()):
            box = sorted((base, base + sign * int(height)))
            draw.rectangle((column * 5, box[0], column * 5 + 3, box[1]), fill=colour)
    return picture
