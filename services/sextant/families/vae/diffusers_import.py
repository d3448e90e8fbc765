"""An AutoencoderKL, as a diffusers pipeline holds it, into a bundle. Needs torch and diffusers: importing only."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffusers import AutoencoderKL
from torch import Tensor, nn

from sextant.bundles.store import Bundle
from sextant.contract.errors import BundleRefused
from sextant.families.provenance import Provenance
from sextant.families.vae.spatial_export import halves, write_spatial_vae

_MOST_ROWS = 63  # more, and the exporter takes the decoder's group normalisation for something else
_ROWS_PER_STEP = 4


class _Encoder(nn.Module):
    """picture[b, c, h, w] in [0, 1] -> mean and log-variance."""

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        found = self.vae.encode(picture * 2 - 1).latent_dist
        return found.mean, found.logvar


class _Decoder(nn.Module):
    """z[b, latent, h, w] -> picture, about [0, 1]."""

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, z: Tensor) -> Tensor:
        return self.vae.decode(z).sample / 2 + 0.5


@dataclass(frozen=True, slots=True)
class ImportedVae:
    """The bundle, and how diffusion in its latent space is scaled: `scale` (z - shift)."""

    bundle: Bundle
    scale: float
    shift: float


def import_kl_vae(
    weights: Path, destination: Path, name: str, latent_size: int, *, provenance: Provenance
) -> ImportedVae:
    """Makes the bundle `destination / name` for latents of `latent_size` places a side. Raises `BundleRefused`."""
    try:
        vae = AutoencoderKL.from_pretrained(weights, use_safetensors=True).eval().float()
    except (OSError, ValueError) as error:
        raise BundleRefused(name, f"{weights.name}: {error}") from error
    config = vae.config
    size = latent_size * 2 ** (len(config.block_out_channels) - 1)
    image = (config.in_channels, size, size)
    latent = (config.latent_channels, latent_size, latent_size)
    encoder, decoder = halves(_Encoder(vae), _Decoder(vae), image, latent, _MOST_ROWS)
    bundle = write_spatial_vae(
        destination, name, encoder, decoder, image, latent, provenance=provenance, rows_per_step=_ROWS_PER_STEP
    )
    shift = getattr(config, "shift_factor", None)
    return ImportedVae(bundle, float(config.scaling_factor), float(shift or 0.0))
