"""Tables: the Statlog shuttle telemetry, and two moons.

Shuttle (Statlog, UCI repository): 49,097 rows of nine whole-numbered sensor readings with a label that marks
anomalies (7%). `pip download --no-deps river==0.26.1` into the directory that `sextant zoo where` prints brings it.
"""

import csv
import gzip
import io
import zipfile
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sextant.zoo.data.location import DataMissing, zoo_directory

SHUTTLE_COLUMNS = tuple(f"sensor_{number}" for number in range(1, 10))
MOONS_COLUMNS = ("x", "y")
SHUTTLE_PROVENANCE = "Trained on the normal rows of Statlog (Shuttle), UCI repository, by the recipe of this name."
MOONS_PROVENANCE = "Trained on drawn points by the recipe of this name."
_HOW = "Get it with `pip download --no-deps river==0.26.1` in that directory."
_TEST_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Rows:
    """float32[n, columns]; `anomalous` bool[n] marks what training never sees."""

    values: NDArray[np.float32]
    anomalous: NDArray[np.bool_]


@cache
def shuttle(split: str) -> Rows:
    """The rows of "train" (normal ones alone) or "test" (a fifth of the normal ones, and all anomalies)."""
    directory = zoo_directory()
    wheels = sorted(directory.glob("river-*.whl"))
    if not wheels:
        raise DataMissing(f"{directory} holds no wheel of river. {_HOW}")
    with zipfile.ZipFile(wheels[-1]) as wheel:
        text = gzip.decompress(wheel.read("river/datasets/shuttle.csv.gz")).decode()
    lines = list(csv.reader(io.StringIO(text)))[1:]
    table = np.array([[float(cell) for cell in line] for line in lines])
    values, anomalous = table[:, :9].astype(np.float32), table[:, -1] > 0
    held_out = np.random.default_rng(0).random(len(values)) < _TEST_SHARE
    chosen = (~held_out & ~anomalous) if split == "train" else (held_out | anomalous)
    return Rows(values[chosen], anomalous[chosen])


def moons(count: int, seed: int, noise: float = 0.1) -> NDArray[np.float32]:
    """Two interleaved half circles, float32[count, 2], with Gaussian noise of that standard deviation."""
    rng = np.random.default_rng(seed)
    angle = np.pi * rng.random(count)
    upper = rng.random(count) < 0.5
    x = np.where(upper, np.cos(angle), 1 - np.cos(angle))
    y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle))
    return (np.stack([x, y], axis=1) + noise * rng.normal(size=(count, 2))).astype(np.float32)
