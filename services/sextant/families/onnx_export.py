"""From torch to ONNX, with the proof that nothing was lost. Export only: nothing that serves imports this.

Weights are stored in half precision and widened as the network is loaded, which halves the files. So that this
costs nothing against the reference, the reference is rounded first (`rounded`) and then exported: what is not a
half-precision number after that, such as what the exporter works out beforehand, stays as it is.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn.utils import parametrize

from sextant.bundles.manifest import Parity

OPSET = 20
TOLERANCE = 1e-4
REFERENCE = f"torch {torch.__version__.split('+')[0]}, float32"
_SMALLEST_STORED_HALF = 64  # elements
_COMPARED_ROWS = (1, 2, 7)


@dataclass(frozen=True, slots=True)
class Exported:
    """An ONNX file, and how far it is from the module it was made of."""

    onnx: bytes
    max_abs_error: float
    max_rel_error: float


def rounded(module: nn.Module) -> nn.Module:
    """A copy for export: in evaluation mode, parametrisations worked out, weights at half precision's numbers."""
    plain = copy.deepcopy(module).eval()
    for part in plain.modules():
        if parametrize.is_parametrized(part):
            for name in list(part.parametrizations):
                parametrize.remove_parametrizations(part, name)
        bake = getattr(part, "bake", None)
        if bake is not None:
            bake()
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.copy_(parameter.half().float())
    return plain.requires_grad_(False)


def export(
    module: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str], *, most_rows: int = 4096, listed: int = 0
) -> Exported:
    """`module` as ONNX, compared with itself. `inputs` are examples of several rows, by name and in order.

    The last `listed` of them are those that `forward` takes as *args.

    The first axis of all inputs and outputs counts rows, of which there are at most `most_rows`. Errors are the
    largest over all outputs, for one row and for several; the relative one is over the largest magnitude of the output.
    """
    rows = torch.export.Dim("rows", min=1, max=most_rows)
    shapes = [{0: rows} for _ in inputs]
    named = len(shapes) - listed
    program = torch.onnx.export(
        module.eval(),
        tuple(inputs.values()),
        input_names=list(inputs),
        output_names=list(outputs),
        dynamic_shapes=(*shapes[:named], *([tuple(shapes[named:])] if listed else [])),
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    with TemporaryDirectory() as directory:
        path = Path(directory) / "network.onnx"
        program.save(str(path), external_data=False)
        model = onnx.load(path)
    _store_halves(model)
    onnx.checker.check_model(model)
    content = model.SerializeToString()
    return Exported(content, *_errors(module, inputs, content))


def parity(exported: Sequence[Exported]) -> Parity:
    """The worst of several networks, as the manifest has it."""
    return Parity(
        max_abs_error=max(network.max_abs_error for network in exported),
        max_rel_error=max(network.max_rel_error for network in exported),
        tolerance=TOLERANCE,
        reference=REFERENCE,
    )


def _store_halves(model: onnx.ModelProto) -> None:
    """Float initialisers that are half-precision numbers become half-precision files with a cast behind them."""
    graph = model.graph
    casts = []
    for index, tensor in enumerate(graph.initializer):
        if tensor.data_type != TensorProto.FLOAT:
            continue
        array = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            half = array.astype(np.float16)
        if array.size < _SMALLEST_STORED_HALF or not np.array_equal(half.astype(np.float32), array):
            continue
        name, stored = tensor.name, f"{tensor.name}.half"
        graph.initializer[index].CopyFrom(numpy_helper.from_array(half, stored))
        casts.append(helper.make_node("Cast", [stored], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]
    # Where the exporter's nodes come from in the source is half of a small file.
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""


def _errors(module: nn.Module, inputs: Mapping[str, Tensor], content: bytes) -> tuple[float, float]:
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    absolute = relative = 0.0
    for count in _COMPARED_ROWS:
        fed = {name: tensor[torch.arange(count) % len(tensor)] for name, tensor in inputs.items()}
        with torch.no_grad():
            answer = module(*fed.values())
        wanted = answer if isinstance(answer, tuple) else (answer,)
        got = session.run(None, {name: tensor.numpy() for name, tensor in fed.items()})
        for reference, output in zip(wanted, got, strict=True):
            expected: NDArray[np.float32] = reference.numpy()
            error = float(np.abs(output - expected).max())
            absolute = max(absolute, error)
            relative = max(relative, error / float(np.abs(expected).max()))
    return absolute, relative
