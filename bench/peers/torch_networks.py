"""The networks of bundles as torch modules, with the weights of their ONNX files: what naive loops and peers run."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from sextant.bundles.store import Bundle
from sextant.families.autoregressive.pixel_networks import PixelCnn
from sextant.families.autoregressive.wave_networks import WaveNet
from sextant.families.diffusion.networks import UNet
from sextant.families.row_network import RowNetwork
from sextant.runtime.session import SessionConfig

_TOLERANCE = 1e-4
M = TypeVar("M", bound=nn.Module)


def unet(bundle: Bundle) -> UNet:
    """The denoiser. RuntimeError where it does not say what the bundle's network says."""
    c = bundle.manifest.network
    network = _filled(UNet(c["channels"], c["height"], len(c["classes"])), bundle, "denoiser.onnx")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, c["channels"], c["height"], c["width"])).astype(np.float32)
    fed = {"x": x, "t": np.float32([3, 500, 999]), "label": np.arange(3)}
    _check(network, bundle, "denoiser.onnx", fed, "prediction")
    return network


def pixelcnn(bundle: Bundle) -> PixelCnn:
    """The network of whole pictures. RuntimeError where it does not say what the bundle's network says."""
    c = bundle.manifest.network
    network = PixelCnn(c["height"], len(c["classes"]), c["features"], c["layers"])
    # The last layer's vertical stack leads nowhere, and is in no file.
    _filled(network, bundle, "picture.onnx", nowhere=f"layers.{c['layers'] - 1}.mix_v.")
    level = np.random.default_rng(0).integers(0, 256, (3, 1, c["height"], c["width"])).astype(np.float32)
    _check(network, bundle, "picture.onnx", {"level": level, "label": np.arange(3)}, "logits")
    return network


def wavenet(bundle: Bundle) -> WaveNet:
    """A network of the bundle's shape, untrained: its weights have no names in the files, and time is all it gives."""
    c = bundle.manifest.network
    return WaveNet(len(c["classes"]), len(c["voices"]), c["features"], dilations=c["dilations"]).eval()


def _filled(network: M, bundle: Bundle, file: str, nowhere: str = " ") -> M:
    graph = onnx.load(bundle.file(file)).graph
    held = {
        tensor.name.removesuffix(".half"): torch.from_numpy(numpy_helper.to_array(tensor).astype(np.float32))
        for tensor in graph.initializer
    }
    own = network.state_dict()
    norms = [name for name, module in network.named_modules() if isinstance(module, nn.GroupNorm)]
    for name, (scale, shift) in zip(norms, _norms(graph, held), strict=True):
        held[f"{name}.weight"], held[f"{name}.bias"] = scale.flatten(), shift.flatten()
    missing = [name for name in own if name not in held and not name.startswith(nowhere)]
    if missing:
        raise RuntimeError(f"{file} has no {', '.join(missing)}")
    network.load_state_dict({name: held.get(name, value) for name, value in own.items()})
    return network.eval()


def _norms(graph: onnx.GraphProto, held: Mapping[str, Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Scale and shift of each group norm in the order of the graph, which has no such operator: see what follows it."""
    after = {name: node for node in graph.node for name in node.input}
    for node in graph.node:
        if node.op_type == "InstanceNormalization":
            found = []
            for wanted in ("Mul", "Add"):
                while node.op_type != wanted:
                    node = after[node.output[0]]
                found += [held[given.removesuffix(".half")] for given in node.input if given in held]
            yield found[0], found[1]


def _check(network: nn.Module, bundle: Bundle, file: str, fed: Mapping[str, NDArray[Any]], output: str) -> None:
    with torch.inference_mode():
        here = network(*(torch.from_numpy(array) for array in fed.values())).numpy()
    there = RowNetwork(bundle.file(file), SessionConfig()).run(fed)[output]
    error = float(np.abs(here - there).max() / np.abs(there).max())
    if error > _TOLERANCE:
        raise RuntimeError(f"the torch network is not that of {file}: off by {error:.1e}")
