"""A trained GAN as a bundle. Networks inside work on pictures in [-1, 1]; those in bundles on [0, 1]."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sextant.bundles.manifest import LatentSpace
from sextant.bundles.store import Bundle
from sextant.bundles.writer import write_bundle
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.families.gan.cycle_networks import CycleGenerator
from sextant.families.gan.style_networks import StyleGenerator
from sextant.families.onnx_export import Exported, export, parity, rounded
from sextant.families.provenance import Provenance

_ROWS = 8
_FROM_NOISE = (TaskKind.GENERATE, TaskKind.DECODE, TaskKind.INTERPOLATE)


def export_generator(
    generator: Any,
    directory: Path,
    name: str,
    *,
    architecture: str,
    shape: tuple[int, int, int],
    classes: Sequence[str],
    provenance: Provenance,
    level: int | None = None,
) -> Bundle:
    """A network from z to a picture of `shape` (channels, height, width); `level` is that of a grown generator.

    Unconditional ones can also encode, by inversion.
    """
    plain = rounded(generator)
    inputs = {"z": torch.randn(_ROWS, generator.latent_dim)}
    if classes:
        inputs["label"] = torch.arange(_ROWS) % len(classes)
    network = export(_Generator(plain, level, labelled=bool(classes)), inputs, ["image"])
    channels, height, width = shape
    return _write(
        directory,
        name,
        provenance,
        architecture,
        {"generator.onnx": network},
        tasks=_FROM_NOISE if classes else (*_FROM_NOISE, TaskKind.ENCODE),
        inputs=(Modality.IMAGE, Modality.LATENT),
        latent_spaces=(LatentSpace(id=f"{name}/z", shape=(generator.latent_dim,)),),
        network={
            "latent_dim": generator.latent_dim,
            "height": height,
            "width": width,
            "channels": channels,
            "classes": list(classes),
        },
    )


def export_style_generator(
    generator: StyleGenerator, directory: Path, name: str, *, size: int, truncation: float, provenance: Provenance
) -> Bundle:
    """A StyleGAN of `size` x `size` RGB pictures; `truncation` is what it samples with unless told otherwise."""
    plain: Any = rounded(generator)
    synthesis, style_dim = plain.synthesis, len(generator.mean_style)
    mapping = export(plain.mapping, {"z": torch.randn(_ROWS, generator.latent_dim)}, ["w"])
    with torch.no_grad():
        w = plain.mapping(torch.randn(_ROWS * synthesis.layers, generator.latent_dim))
        mean_style = plain.mapping(torch.randn(20_000, generator.latent_dim)).double().mean(0).float()
    styles = w.unflatten(0, (_ROWS, synthesis.layers))
    picture = export(_Unit(synthesis), {"w": styles, "noise": torch.randn(_ROWS, synthesis.noise_dim)}, ["image"])
    return _write(
        directory,
        name,
        provenance,
        "stylegan",
        {"mapping.onnx": mapping, "synthesis.onnx": picture},
        tasks=(*_FROM_NOISE, TaskKind.ENCODE),
        inputs=(Modality.IMAGE, Modality.LATENT),
        latent_spaces=(LatentSpace(id=f"{name}/w", shape=(style_dim,)),),
        network={
            "latent_dim": generator.latent_dim,
            "style_dim": style_dim,
            "layers": synthesis.layers,
            "noise_dim": synthesis.noise_dim,
            "height": size,
            "width": size,
            "channels": 3,
            "classes": [],
            "mean_style": [float(value) for value in mean_style],
        },
        defaults={"truncation": truncation},
    )


def export_translators(
    generators: Mapping[str, CycleGenerator],
    pictures: Tensor,
    directory: Path,
    name: str,
    *,
    provenance: Provenance,
) -> Bundle:
    """A CycleGAN's generators by the name of their direction; `pictures` float[b, 3, h, w] in [0, 1] are examples."""
    networks = {direction: f"{direction.replace('-', '_')}.onnx" for direction in generators}
    files = {
        networks[direction]: export(_Translator(rounded(generator)), {"image": pictures}, ["image_out"])
        for direction, generator in generators.items()
    }
    height, width = pictures.shape[2:]
    return _write(
        directory,
        name,
        provenance,
        "cyclegan",
        files,
        tasks=(TaskKind.TRANSFORM,),
        inputs=(Modality.IMAGE,),
        latent_spaces=(),
        network={"height": height, "width": width, "channels": 3, "directions": networks},
    )


def _write(
    directory: Path,
    name: str,
    provenance: Provenance,
    architecture: str,
    files: Mapping[str, Exported],
    *,
    tasks: Sequence[TaskKind],
    inputs: Sequence[Modality],
    latent_spaces: Sequence[LatentSpace],
    network: dict[str, Any],
    defaults: dict[str, Any] | None = None,
) -> Bundle:
    return write_bundle(
        directory,
        {file: exported.onnx for file, exported in files.items()},
        name=name,
        family="gan",
        architecture=architecture,
        tasks=tasks,
        inputs=inputs,
        outputs=(Modality.IMAGE, Modality.LATENT) if TaskKind.ENCODE in tasks else (Modality.IMAGE,),
        latent_spaces=latent_spaces,
        deterministic=True,
        parity=parity(list(files.values())),
        network=network,
        defaults=defaults or {},
        **provenance.fields(),
    )


class _Unit(nn.Module):
    """A network whose pictures are moved from [-1, 1] to [0, 1]."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return _to_unit(self.network(first, second))


class _Generator(nn.Module):
    """A generator of z, of (z, label), or of z at a level."""

    def __init__(self, network: Any, level: int | None, *, labelled: bool) -> None:
        super().__init__()
        self.network, self.level, self.labelled = network, level, labelled

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        if self.labelled:
            return _to_unit(self.network(z, label))
        return _to_unit(self.network(z) if self.level is None else self.network(z, self.level))


class _Translator(nn.Module):
    """A picture in [0, 1] to a picture in [0, 1]."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return _to_unit(self.network(image * 2 - 1))


def _to_unit(picture: Tensor) -> Tensor:
    return (picture * 0.5 + 0.5).clamp(0, 1)
