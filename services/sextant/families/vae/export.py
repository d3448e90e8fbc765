"""A trained VAE as a bundle: `encoder.onnx` and `decoder.onnx`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from sextant.bundles.manifest import LatentSpace
from sextant.bundles.store import Bundle
from sextant.bundles.writer import write_bundle
from sextant.contract.events import Estimator
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.families.onnx_export import export, parity, rounded
from sextant.families.provenance import Provenance
from sextant.families.vae.networks import Vae

_ROWS = 8


def export_vae(
    vae: Vae,
    directory: Path,
    name: str,
    *,
    architecture: str,
    classes: Sequence[str],
    provenance: Provenance,
    temperature: float = 1.0,
) -> Bundle:
    """Writes the bundle `directory / name`. `classes` are the names of the labels, none if unconditional.

    `temperature` is what it samples with unless told otherwise.
    """
    plain: Any = rounded(vae)
    picture = torch.rand(_ROWS, vae.channels, vae.size, vae.size)
    z = torch.randn(_ROWS, vae.latent_dim)
    label = {"label": torch.arange(_ROWS) % vae.classes} if vae.classes else {}
    encoder = export(plain.encoder, {"image": picture, **label}, ["mean", "log_variance"])
    decoder = export(plain.decoder, {"z": z, **label}, ["image"])
    network: dict[str, Any] = {
        "latent_dim": vae.latent_dim,
        "height": vae.size,
        "width": vae.size,
        "channels": vae.channels,
        "classes": list(classes),
        "scale": float(vae.log_scale.detach().exp()),
    }
    return write_bundle(
        directory,
        {"encoder.onnx": encoder.onnx, "decoder.onnx": decoder.onnx},
        name=name,
        family="vae",
        architecture=architecture,
        tasks=(TaskKind.GENERATE, TaskKind.ENCODE, TaskKind.DECODE, TaskKind.INTERPOLATE, TaskKind.SCORE),
        inputs=(Modality.IMAGE, Modality.LATENT),
        outputs=(Modality.IMAGE, Modality.LATENT),
        latent_spaces=(LatentSpace(id=f"{name}/z", shape=(vae.latent_dim,)),),
        score_estimator=Estimator.LOWER_BOUND,
        deterministic=True,
        parity=parity((encoder, decoder)),
        network=network,
        defaults={} if temperature == 1 else {"temperature": temperature},
        **provenance.fields(),
    )
