"""An affine flow, whose density is a Gaussian known in closed form: z = (x - b) A, log_det = log |det A|."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from sextant.bundles.manifest import LatentSpace
from sextant.bundles.store import Bundle
from sextant.bundles.writer import write_bundle
from sextant.contract.events import Estimator
from sextant.contract.tasks import TaskKind
from tests.bundles import tiny
from tests.families.graphs import network

TASKS = (TaskKind.GENERATE, TaskKind.ENCODE, TaskKind.DECODE, TaskKind.INTERPOLATE, TaskKind.SCORE)


@dataclass(frozen=True)
class AffineFlow:
    """Rows x[b, *shape]; `centre` and `spread` are those of the data."""

    shape: tuple[int, ...]
    centre: float
    spread: float

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    @property
    def matrix(self) -> NDArray[np.float64]:
        """A: well conditioned and not symmetric."""
        mixed = np.eye(self.size) + np.triu(np.random.default_rng(3).normal(0, 0.2, (self.size, self.size)), 1)
        return (mixed / self.spread).astype(np.float32).astype(np.float64)

    @property
    def offset(self) -> NDArray[np.float64]:
        """b."""
        steps = np.linspace(-0.5, 0.5, self.size) * self.spread
        return (self.centre + steps).astype(np.float32).astype(np.float64)

    def forward(self, x: NDArray[Any]) -> NDArray[np.float64]:
        return (x.reshape(len(x), -1) - self.offset) @ self.matrix

    def inverse(self, z: NDArray[Any]) -> NDArray[np.float64]:
        return (z @ np.linalg.inv(self.matrix) + self.offset).reshape(len(z), *self.shape)

    def log_density(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Of the Gaussian with mean b and covariance (A A^T)^-1, in nats: [b]."""
        z = self.forward(x)
        log_det = np.linalg.slogdet(self.matrix)[1]
        return log_det - 0.5 * (z**2 + np.log(2 * np.pi)).sum(axis=1)

    def files(self) -> dict[str, bytes]:
        d = (self.size,)
        forward = network(
            [
                ("Reshape", ["x", "flat"], ["row"], {}),
                ("Sub", ["row", "b"], ["centred"], {}),
                ("MatMul", ["centred", "A"], ["z"], {}),
                ("MatMul", ["centred", "none"], ["zero"], {}),
                ("Squeeze", ["zero", "last"], ["zeros"], {}),
                ("Add", ["zeros", "log_volume"], ["log_det"], {}),
            ],
            {
                "flat": np.array([0, -1]),
                "last": np.array([1]),
                "A": self.matrix.astype(np.float32),
                "b": self.offset.astype(np.float32),
                "none": np.zeros((self.size, 1), np.float32),
                "log_volume": np.float32([np.linalg.slogdet(self.matrix)[1]]),
            },
            {"x": ("float", self.shape)},
            {"z": d, "log_det": ()},
        )
        inverse = network(
            [
                ("MatMul", ["z", "A_inverse"], ["centred"], {}),
                ("Add", ["centred", "b"], ["row"], {}),
                ("Reshape", ["row", "shape"], ["x"], {}),
            ],
            {
                "shape": np.array([-1, *self.shape]),
                "A_inverse": np.linalg.inv(self.matrix).astype(np.float32),
                "b": self.offset.astype(np.float32),
            },
            {"z": ("float", d)},
            {"x": self.shape},
        )
        return {"forward.onnx": forward, "inverse.onnx": inverse}


def real_nvp_bundle(directory: Path, flow: AffineFlow, columns: Sequence[str], **changes: Any) -> Bundle:
    """Written to `directory / "tiny"`; `changes` go over the fields of its manifest."""
    return _bundle(directory, flow, flow.files(), "realnvp", TASKS, {"columns": list(columns)}, changes)


def glow_bundle(
    directory: Path, flow: AffineFlow, attributes: Mapping[str, NDArray[np.float32]], **changes: Any
) -> Bundle:
    channels, height, width = flow.shape
    sizes = {"height": height, "width": width, "channels": channels, "latent_dim": flow.size}
    files, tasks = flow.files(), TASKS
    if attributes:
        files["attributes.safetensors"] = save(dict(attributes))
        tasks = (*TASKS, TaskKind.TRANSFORM)
    return _bundle(directory, flow, files, "glow", tasks, {**sizes, "attributes": list(attributes)}, changes)


def _bundle(
    directory: Path,
    flow: AffineFlow,
    files: Mapping[str, bytes],
    architecture: str,
    tasks: Sequence[TaskKind],
    network: Mapping[str, Any],
    changes: Mapping[str, Any],
) -> Bundle:
    fields: dict[str, Any] = {
        "family": "flow",
        "architecture": architecture,
        "tasks": tasks,
        "latent_spaces": (LatentSpace(id="tiny/z", shape=(flow.size,)),),
        "score_estimator": Estimator.EXACT,
        "network": dict(network),
    }
    return write_bundle(directory, files, **tiny.fields(**{**fields, **changes}))
