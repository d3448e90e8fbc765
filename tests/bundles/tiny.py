"""A bundle as small as one can be, whole or damaged on purpose."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tomli_w
from onnx import TensorProto, helper, numpy_helper

from sextant.bundles.manifest import Parity
from sextant.bundles.writer import ManifestFields
from sextant.contract.tasks import TaskKind

PARITY = Parity(max_abs_error=2e-6, max_rel_error=1e-6, tolerance=1e-4, reference="NumPy")


def fields(**changes: Any) -> ManifestFields:
    content: dict[str, Any] = {
        "name": "tiny",
        "version": "1.0.0",
        "family": "transformer",
        "architecture": "adder",
        "description": "Adds one",
        "tasks": [TaskKind.ENCODE],
        "deterministic": True,
        "license": "Apache-2.0",
        "provenance": "a test",
        "parity": PARITY,
    }
    return {**content, **changes}  # type: ignore[typeddict-item,return-value]


def network(weights: onnx.TensorProto | None = None) -> onnx.ModelProto:
    """y = x + weights, for float[2]."""
    weights = weights or numpy_helper.from_array(np.ones(2, np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "adder",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
        [weights],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])


def external_weights(location: str, **entries: str) -> onnx.TensorProto:
    """Two floats that lie in another file."""
    weights = TensorProto(name="w", dims=[2], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, "offset": "0", "length": "8", **entries}.items():
        weights.external_data.add(key=key, value=value)
    return weights


def by_hand(directory: Path, data_of: Mapping[str, bytes], /, **changes: Any) -> Path:
    """A bundle in `directory / "tiny"` written around the writer and its checks; a change of None drops the key."""
    bundle = directory / "tiny"
    content: dict[str, Any] = {**fields(), "schema_version": 1, "parity": PARITY.model_dump()}
    content["files"] = {}
    for name, data in data_of.items():
        path = bundle / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        content["files"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    content.update(changes)
    content = {key: value for key, value in content.items() if value is not None}
    bundle.mkdir(parents=True, exist_ok=True)
    (bundle / "model.toml").write_text(tomli_w.dumps(content))
    return bundle
