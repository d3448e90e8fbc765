"""What is exported is what was trained: parity, half-size files, rows that know nothing of each other."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from sextant.bundles.store import Bundle
from sextant.families.flow.export import export_glow, export_real_nvp
from sextant.families.flow.networks import Glow, RealNvp
from sextant.families.gan.cycle_networks import CycleGenerator
from sextant.families.gan.export import export_generator, export_style_generator, export_translators
from sextant.families.gan.networks import BigganGenerator, DcganGenerator
from sextant.families.gan.progressive_networks import ProganGenerator
from sextant.families.gan.style_networks import StyleGenerator
from sextant.families.onnx_export import export, rounded
from sextant.families.provenance import Provenance
from sextant.families.row_network import RowNetwork
from sextant.families.vae.export import export_vae
from sextant.families.vae.networks import Vae
from sextant.runtime.session import SessionConfig

_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
_MADE = Provenance(description="a test's own", data="none")


def _all(directory: Path) -> list[Bundle]:
    torch.manual_seed(0)
    rows, pictures = torch.randn(16, 3), 256 * torch.rand(4, 1, 8, 8)
    table, glow = RealNvp(3, 2, 8), Glow(8, 1, 2, 8)
    table(rows), glow(pictures)  # sets their norms
    for flow in (table, glow):
        for parameter in flow.parameters():
            parameter.data.add_(0.05 * torch.randn_like(parameter))
    cycles = {"there": CycleGenerator(4, 1), "back": CycleGenerator(4, 1)}
    attributes = {"bright": np.ones(64, np.float32)}
    widths = (8, 8)
    return [
        export_vae(Vae(4, 8, 1, 0, 8), directory, "vae", architecture="vae", classes=(), provenance=_MADE),
        export_vae(Vae(4, 8, 1, 2, 8), directory, "cvae", architecture="cvae", classes="ab", provenance=_MADE),
        _generator(DcganGenerator(4, 8, 1, 4), directory, "dcgan", 8),
        _generator(BigganGenerator(12, 2, 8, 1, 8), directory, "biggan", 8, classes="ab"),
        _generator(ProganGenerator(4, widths), directory, "progan", 8, channels=3, level=1),
        export_style_generator(
            StyleGenerator(4, 4, 2, widths), directory, "stylegan", size=8, truncation=0.7, provenance=_MADE
        ),
        export_translators(cycles, torch.rand(4, 3, 8, 8), directory, "cyclegan", provenance=_MADE),
        export_real_nvp(table, rows, directory, "realnvp", columns="xyz", provenance=_MADE),
        export_glow(glow, pictures, directory, "glow", attributes=attributes, temperature=0.7, provenance=_MADE),
    ]


def _generator(generator, directory, name, size, *, channels=1, classes=(), level=None) -> Bundle:
    shape = (channels, size, size)
    return export_generator(
        generator,
        directory,
        name,
        architecture=name,
        shape=shape,
        classes=list(classes),
        level=level,
        provenance=_MADE,
    )


@pytest.fixture(scope="module")
def bundles(tmp_path_factory) -> list[Bundle]:
    return _all(tmp_path_factory.mktemp("exported"))


def test_every_kind_of_network_exports_within_the_tolerance(bundles: list[Bundle]) -> None:
    for bundle in bundles:
        parity = bundle.manifest.parity
        assert parity is not None
        assert parity.max_rel_error <= 1e-4, bundle.manifest.name
        assert parity.reference.startswith("torch ")


def test_a_row_is_the_same_alone_and_among_others(bundles: list[Bundle]) -> None:
    rng = np.random.default_rng(0)
    for bundle in bundles:
        for file in (name for name in bundle.manifest.files if name.endswith(".onnx")):
            network = RowNetwork(bundle.file(file), SessionConfig())
            fed = {
                name: rng.integers(2, size=19) if name == "label" else rng.normal(size=(19, *shape)).astype(np.float32)
                for name, shape in network.inputs.items()
            }
            whole = network.run(fed)
            for first, last in ((0, 1), (3, 4), (2, 4), (5, 14), (18, 19)):
                part = network.run({name: array[first:last] for name, array in fed.items()})
                for name, output in part.items():
                    np.testing.assert_array_equal(output, whole[name][first:last], f"{bundle.manifest.name} {file}")


def test_weights_are_stored_in_half_precision(bundles: list[Bundle]) -> None:
    # Not those with batch norms, which the exporter folds into the convolutions after the rounding.
    for bundle in (one for one in bundles if one.manifest.name in ("vae", "cvae", "realnvp")):
        for file in (name for name in bundle.manifest.files if name.endswith(".onnx")):
            tensors = onnx.load(bundle.file(file)).graph.initializer
            large = [tensor for tensor in tensors if np.prod(tensor.dims) >= 64 and tensor.data_type in _FLOATS]
            assert all(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in large), f"{bundle.path} {file}"


def test_an_error_of_the_export_is_seen() -> None:
    class Fickle(torch.nn.Module):
        """Another function once it has been exported."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 2 if torch.compiler.is_compiling() else x * 2.01

    assert export(Fickle(), {"x": torch.ones(4, 3)}, ["y"]).max_rel_error == pytest.approx(0.01 / 2.01, rel=1e-3)


def test_rounding_keeps_the_original_as_it_is() -> None:
    layer = torch.nn.Linear(3, 3)
    before = layer.weight.clone()
    copy = rounded(layer)
    assert torch.equal(layer.weight, before)
    assert torch.equal(copy.weight, before.half().float())
