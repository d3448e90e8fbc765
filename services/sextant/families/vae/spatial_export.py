"""A spatial VAE as a bundle: `encoder.onnx` and `decoder.onnx`."""

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sextant.bundles.manifest import LatentSpace
from sextant.bundles.store import Bundle
from sextant.bundles.writer import write_bundle
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.families.onnx_export import Exported, export, parity, rounded
from sextant.families.provenance import Provenance
from sextant.families.vae.spatial_networks import SpatialVae

_ROWS = 8


class _StandardEncoder(nn.Module):
    """An encoder whose codes are divided by `deviation`."""

    def __init__(self, encoder: nn.Module, deviation: float) -> None:
        super().__init__()
        self.encoder, self.deviation = encoder, deviation

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.encoder(picture)
        return mean / self.deviation, log_variance - 2 * math.log(self.deviation)


class _StandardDecoder(nn.Module):
    """The way back."""

    def __init__(self, decoder: nn.Module, deviation: float) -> None:
        super().__init__()
        self.decoder, self.deviation = decoder, deviation

    def forward(self, z: Tensor) -> Tensor:
        picture: Tensor = self.decoder(z * self.deviation)
        return picture


def export_spatial_vae(vae: SpatialVae, directory: Path, name: str, *, provenance: Provenance) -> Bundle:
    """Writes the bundle `directory / name`, whose latent space is `name/z`."""
    plain: Any = rounded(vae)
    deviation = float(vae.deviation)
    standard = _StandardEncoder(plain.encoder, deviation), _StandardDecoder(plain.decoder, deviation)
    encoder, decoder = halves(*standard, (vae.channels, vae.size, vae.size), vae.latent)
    return write_spatial_vae(
        directory, name, encoder, decoder, (vae.channels, vae.size, vae.size), vae.latent, provenance=provenance
    )


def halves(
    encoder: nn.Module,
    decoder: nn.Module,
    image: tuple[int, int, int],
    latent: tuple[int, int, int],
    most_rows: int = 4096,
) -> tuple[Exported, Exported]:
    """Both networks as ONNX: pictures [b, *image] in [0, 1] to mean and log-variance, codes [b, *latent] back.

    Of at most `most_rows` rows.
    """
    pictures, codes = torch.rand(_ROWS, *image), torch.randn(_ROWS, *latent)
    return (
        export(encoder, {"image": pictures}, ["mean", "log_variance"], most_rows=most_rows),
        export(decoder, {"z": codes}, ["image"], most_rows=most_rows),
    )


def write_spatial_vae(
    directory: Path,
    name: str,
    encoder: Exported,
    decoder: Exported,
    image: tuple[int, int, int],
    latent: tuple[int, int, int],
    *,
    provenance: Provenance,
    rows_per_step: int | None = None,
) -> Bundle:
    """Writes the bundle `directory / name` of two exported networks."""
    channels, height, width = image
    space = LatentSpace(id=f"{name}/z", shape=latent)
    return write_bundle(
        directory,
        {"encoder.onnx": encoder.onnx, "decoder.onnx": decoder.onnx},
        name=name,
        family="vae",
        architecture="spatial-vae",
        tasks=(TaskKind.ENCODE, TaskKind.DECODE),
        inputs=(Modality.IMAGE, Modality.LATENT),
        outputs=(Modality.IMAGE, Modality.LATENT),
        latent_spaces=(space,),
        deterministic=True,
        parity=parity((encoder, decoder)),
        network={"height": height, "width": width, "channels": channels, "space": space.id, "latent": list(latent)},
        defaults={} if rows_per_step is None else {"rows_per_step": rows_per_step},
        **provenance.fields(),
    )
