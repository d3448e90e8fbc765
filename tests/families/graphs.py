"""ONNX files written by hand: small enough to be worked out again in NumPy."""

from collections.abc import Mapping, Sequence
from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Node = tuple[str, Sequence[str], Sequence[str], dict[str, Any]]
_TYPES = {"float": TensorProto.FLOAT, "int64": TensorProto.INT64}


def network(
    nodes: Sequence[Node],
    weights: Mapping[str, NDArray[Any]],
    inputs: Mapping[str, tuple[str, tuple[int, ...]]],
    outputs: Mapping[str, tuple[int, ...]],
) -> bytes:
    """A network whose inputs (type and shape of a row) and outputs (shape of a row) have any number of rows."""
    graph = helper.make_graph(
        [helper.make_node(operator, list(given), list(made), **options) for operator, given, made, options in nodes],
        "tiny",
        [
            helper.make_tensor_value_info(name, _TYPES[element], ["rows", *shape])
            for name, (element, shape) in inputs.items()
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", *shape]) for name, shape in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content
