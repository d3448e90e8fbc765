"""Writing an ONNX graph by hand: the few things that `onnx.helper` leaves to be repeated.

Large constants go straight to a data file beside the model as they are added, so that building a network never
holds more of its weights in memory than the tensor at hand.
"""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

# Domain of ONNX Runtime's own operators (GroupQueryAttention, MatMulNBits, fused normalisations ...).
CONTRIB = "com.microsoft"
_OPSETS = [helper.make_opsetid("", 20), helper.make_opsetid(CONTRIB, 1)]
_IR_VERSION = 10
_EXTERNAL_FROM_BYTES = 4096
_PAGE_BYTES = 4096  # constants start on pages, so that the data file can be mapped rather than read

Shape = Sequence[int | str]  # names are dimensions known only when the graph runs


class GraphBuilder:
    """An ONNX model under construction at `path`, its large constants in `<path>.data`.

    Use as a context manager: the model is written on leaving the block without an error. Values are strings,
    as in ONNX; every node's outputs get fresh names unless they are named outright. No data file is left where
    no constant was large.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name
        self._data_path = path.with_name(path.name + ".data")
        self._data: BinaryIO | None = None
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._scalars: dict[tuple[str, float], str] = {}

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that make up the model: itself, and its data file where it has one."""
        return (self._path,) if not self._data_path.exists() else (self._path, self._data_path)

    def input(self, name: str, dtype: type[np.generic], shape: Shape) -> str:
        """Declare an input of the model; its name."""
        self._inputs.append(_value(name, dtype, shape))
        return name

    def output(self, name: str, dtype: type[np.generic], shape: Shape) -> str:
        """Declare the value `name` an output of the model; its name."""
        self._outputs.append(_value(name, dtype, shape))
        return name

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Add a constant; its name. Names are unique."""
        if name in self._constants:
            raise ValueError(f"the graph has a constant {name!r} already")
        tensor = TensorProto(name=name, dims=array.shape, data_type=helper.np_dtype_to_tensor_dtype(array.dtype))
        content = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        if content.nbytes < _EXTERNAL_FROM_BYTES:
            tensor.raw_data = content.tobytes()
        else:
            self._append(tensor, content)
        self._constants[name] = tensor
        return name

    def same_bytes(self, name: str, constant: str, shape: Sequence[int]) -> str:
        """Add a constant that reads the content of another in another shape, without storing it twice; its name."""
        tensor = TensorProto()
        tensor.CopyFrom(self._constants[constant])
        tensor.name = name
        tensor.dims[:] = shape
        self._constants[name] = tensor
        return name

    def scalar(self, value: float, dtype: type[np.generic]) -> str:
        """A constant without dimensions, shared by all who ask for the same."""
        key = (np.dtype(dtype).name, value)
        if key not in self._scalars:
            name = f"scalar_{key[0]}_{len(self._scalars)}"
            self._scalars[key] = self.constant(name, np.array(value, dtype=dtype))
        return self._scalars[key]

    def add(self, op: str, *inputs: str, domain: str = "", output: str | None = None, **attributes: Any) -> str:
        """Add a node with one output; that value's name. "" stands for an input that is left out."""
        output = output or f"{op}_{len(self._nodes)}"
        self.add_node(op, inputs, (output,), domain=domain, **attributes)
        return output

    def add_node(
        self, op: str, inputs: Sequence[str], outputs: Sequence[str], *, domain: str = "", **attributes: Any
    ) -> None:
        """Add a node whose outputs are named by the caller; "" for those not wanted."""
        name = f"{op}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, inputs, outputs, name=name, domain=domain, **attributes))

    def __enter__(self) -> Self:
        self._data_path.unlink(missing_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._data is not None:
            self._data.close()
        if kind is None:
            self._write()

    def _write(self) -> None:
        graph = helper.make_graph(
            self._nodes, self._name, self._inputs, self._outputs, initializer=list(self._constants.values())
        )
        model = helper.make_model(graph, opset_imports=_OPSETS, ir_version=_IR_VERSION, producer_name="sextant")
        self._path.write_bytes(model.SerializeToString(deterministic=True))

    def _append(self, tensor: TensorProto, content: NDArray[Any]) -> None:
        if self._data is None:
            self._data = self._data_path.open("wb")
        offset = -(-self._data.tell() // _PAGE_BYTES) * _PAGE_BYTES
        self._data.seek(offset)
        self._data.write(content.data)
        tensor.data_location = TensorProto.EXTERNAL
        place = {"location": self._data_path.name, "offset": str(offset), "length": str(content.nbytes)}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=value)


def _value(name: str, dtype: type[np.generic], shape: Shape) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
