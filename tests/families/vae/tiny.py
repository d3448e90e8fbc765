"""A VAE of two layers and a few dozen weights, as a bundle, and worked out again in NumPy."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sextant.bundles.manifest import LatentSpace
from sextant.bundles.store import Bundle
from sextant.bundles.writer import write_bundle
from sextant.contract.events import Estimator
from sextant.contract.tasks import TaskKind
from tests.bundles import tiny
from tests.families.graphs import network

TASKS = (TaskKind.GENERATE, TaskKind.ENCODE, TaskKind.DECODE, TaskKind.INTERPOLATE, TaskKind.SCORE)
SCALE = 0.1


@dataclass(frozen=True)
class TinyVae:
    """mean = flat(image) A + a[label], log_variance = flat(image) B + b; image = sigmoid(z C + c[label])."""

    height: int = 4
    width: int = 3
    channels: int = 1
    latent_dim: int = 2
    classes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.channels, self.height, self.width

    @property
    def weights(self) -> dict[str, NDArray[Any]]:
        rng, d, n, rows = np.random.default_rng(7), self.latent_dim, int(np.prod(self.shape)), len(self.classes) or 1
        made = {
            "A": rng.normal(0, 0.3, (n, d)),
            "a": rng.normal(0, 1, (rows, d)),
            "B": rng.normal(0, 0.1, (n, d)),
            "b": np.full(d, -1.5),
            "C": rng.normal(0, 1, (d, n)),
            "c": rng.normal(0, 1, (rows, n)),
        }
        return {name: array.astype(np.float32) for name, array in made.items()}

    def encode(self, image: NDArray[Any], label: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        flat, w = image.reshape(len(image), -1).astype(np.float32), self.weights
        return flat @ w["A"] + w["a"][label], flat @ w["B"] + w["b"]

    def decode(self, z: NDArray[Any], label: int = 0) -> NDArray[np.float32]:
        w = self.weights
        return (1 / (1 + np.exp(-(z @ w["C"] + w["c"][label])))).reshape(len(z), *self.shape)

    def bundle(self, directory: Path, **changes: Any) -> Bundle:
        """Written to `directory / "tiny"`; `changes` go over the fields of its manifest."""
        fields: dict[str, Any] = {
            "family": "vae",
            "architecture": "cvae" if self.classes else "vae",
            "tasks": TASKS,
            "latent_spaces": (LatentSpace(id="tiny/z", shape=(self.latent_dim,)),),
            "score_estimator": Estimator.LOWER_BOUND,
            "network": {
                "latent_dim": self.latent_dim,
                "height": self.height,
                "width": self.width,
                "channels": self.channels,
                "classes": list(self.classes),
                "scale": SCALE,
            },
        }
        return write_bundle(directory, self.files(), **tiny.fields(**{**fields, **changes}))

    def files(self) -> dict[str, bytes]:
        w, d = self.weights, self.latent_dim
        constants = {"flat": np.array([0, -1]), "shape": np.array([-1, *self.shape])}
        label = {"label": ("int64", ())} if self.classes else {}
        which = ("label", {}) if self.classes else ("zero", {"zero": np.array([0])})
        encoder = network(
            [
                ("Reshape", ["image", "flat"], ["x"], {}),
                ("MatMul", ["x", "A"], ["xa"], {}),
                ("Gather", ["a", which[0]], ["offset"], {}),
                ("Add", ["xa", "offset"], ["mean"], {}),
                ("MatMul", ["x", "B"], ["xb"], {}),
                ("Add", ["xb", "b"], ["log_variance"], {}),
            ],
            {name: w[name] for name in "AaBb"} | {"flat": constants["flat"]} | which[1],
            {"image": ("float", self.shape), **label},
            {"mean": (d,), "log_variance": (d,)},
        )
        decoder = network(
            [
                ("MatMul", ["z", "C"], ["zc"], {}),
                ("Gather", ["c", which[0]], ["offset"], {}),
                ("Add", ["zc", "offset"], ["logits"], {}),
                ("Sigmoid", ["logits"], ["pixels"], {}),
                ("Reshape", ["pixels", "shape"], ["image"], {}),
            ],
            {name: w[name] for name in "Cc"} | {"shape": constants["shape"]} | which[1],
            {"z": ("float", (d,)), **label},
            {"image": self.shape},
        )
        return {"encoder.onnx": encoder, "decoder.onnx": decoder}
