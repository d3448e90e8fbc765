"""Small GANs, untrained but for their size like those that ship, exported once for the package's tests."""

from pathlib import Path

import pytest
import torch

from sextant.families.family import FAMILIES, family_at
from sextant.families.gan.cycle_networks import CycleGenerator
from sextant.families.gan.export import export_generator, export_style_generator, export_translators
from sextant.families.gan.networks import BigganGenerator, DcganGenerator
from sextant.families.gan.style_networks import StyleGenerator
from sextant.families.provenance import Provenance
from sextant.runtime.session import SessionConfig

MADE = Provenance(description="a test's own", data="none")


@pytest.fixture(scope="package")
def bundles(tmp_path_factory) -> dict:
    directory: Path = tmp_path_factory.mktemp("gans")
    torch.manual_seed(0)
    dcgan = DcganGenerator(6, 8, 1, 8)
    style = StyleGenerator(6, 5, 2, (8, 8))
    for convolution in style.synthesis.convs:
        convolution.noise_strength.data.fill_(0.01)
    for parameter in dcgan.parameters():  # away from the start, where all pictures are grey
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, 0.0, 0.3)
    shape = (1, 8, 8)
    made = [
        export_generator(dcgan, directory, "dcgan", architecture="dcgan", shape=shape, classes=(), provenance=MADE),
        export_generator(
            BigganGenerator(6, 2, 8, 1, 8),
            directory,
            "biggan",
            architecture="biggan",
            shape=shape,
            classes=("cat", "dog"),
            provenance=MADE,
        ),
        export_style_generator(style, directory, "stylegan", size=8, truncation=0.7, provenance=MADE),
        export_translators(
            {"there": CycleGenerator(4, 1), "back": CycleGenerator(4, 1)},
            torch.rand(8, 3, 8, 8),
            directory,
            "cyclegan",
            provenance=MADE,
        ),
    ]
    return {bundle.manifest.name: bundle for bundle in made}


@pytest.fixture(scope="package")
def samplers(bundles) -> dict:
    family = family_at(FAMILIES["gan"])
    return {name: family.load(bundle, SessionConfig()) for name, bundle in bundles.items()}
