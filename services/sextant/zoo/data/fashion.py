"""Fashion-MNIST (Xiao et al. 2017): 60,000 + 10,000 grey pictures of clothes, 28 x 28, ten classes. MIT licence.

`apt-get install dataset-fashion-mnist` on Debian and Ubuntu; elsewhere put the four idx files of
github.com/zalandoresearch/fashion-mnist into a directory and name it in SEXTANT_FASHION_MNIST.
"""

import gzip
import os
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sextant.zoo.data.location import found

CLASSES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
PROVENANCE = "Trained on Fashion-MNIST (Zalando Research, MIT licence) by the recipe of this name."

_HOW = "Install it with `apt-get install dataset-fashion-mnist`, or name its directory in SEXTANT_FASHION_MNIST."
_STEM = {"train": "train", "test": "t10k"}


@cache
def load(split: Literal["train", "test"]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pictures uint8[n, 28, 28, 1] and labels int64[n]. Raises `DataMissing`."""
    directory = Path(os.environ.get("SEXTANT_FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))
    images = _read(directory / f"{_STEM[split]}-images-idx3-ubyte.gz", header=16).reshape(-1, 28, 28, 1)
    labels = _read(directory / f"{_STEM[split]}-labels-idx1-ubyte.gz", header=8)
    return images, labels.astype(np.int64)


def _read(path: Path, header: int) -> NDArray[np.uint8]:
    with gzip.open(found(path, _HOW), "rb") as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)
