"""A VQ-GAN as a bundle: `encoder.onnx`, to how far each code is, and `decoder.onnx`, from codes."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from torch import Tensor, nn

from sextant.bundles.manifest import LatentSpace
from sextant.bundles.store import Bundle
from sextant.bundles.writer import write_bundle
from sextant.contract.errors import BundleRefused
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.families.gan.vq_networks import VqGan
from sextant.families.onnx_export import Exported, export, parity, rounded
from sextant.families.provenance import Provenance

_ROWS = 8


class _Distances(nn.Module):
    """picture[b, c, h, w] -> how far each code is from each place, [b, codes, h', w']."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.encoder, self.codebook = model.encoder, model.codebook

    def forward(self, image: Tensor) -> Tensor:
        distances: Tensor = self.codebook.distances(self.encoder(image))
        return distances


class _Picture(nn.Module):
    """codes int64[b, h', w'] -> picture[b, c, h, w]."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.codebook, self.decoder = model.codebook, model.decoder

    def forward(self, codes: Tensor) -> Tensor:
        picture: Tensor = self.decoder(self.codebook.vectors_of(codes))
        return picture


def export_vq(model: VqGan, pictures: Tensor, directory: Path, name: str, *, provenance: Provenance) -> Bundle:
    """Writes the bundle `directory / name`, whose latent space is `name/codes`.

    `pictures` float[n, c, h, w] in [0, 1] are examples. Raises `BundleRefused` where one of them gets other codes of
    ONNX Runtime than of torch, and not because two codes are as near as their errors allow.
    """
    plain, size = rounded(model), model.codebook.size
    distances = _Distances(plain)
    encoder = export(distances, {"image": pictures[:_ROWS]}, ["distances"])
    if moved := _moved(distances, encoder, pictures):
        raise BundleRefused(name, f"{moved} codes of the examples are others in ONNX Runtime than in torch")
    codes = torch.randint(size, (_ROWS, *model.places))
    decoder = export(_Picture(plain), {"codes": codes}, ["image"])
    space = LatentSpace(id=f"{name}/codes", shape=model.places)
    return write_bundle(
        directory,
        {"encoder.onnx": encoder.onnx, "decoder.onnx": decoder.onnx},
        name=name,
        family="gan",
        architecture="vqgan",
        tasks=(TaskKind.ENCODE, TaskKind.DECODE),
        inputs=(Modality.IMAGE, Modality.LATENT),
        outputs=(Modality.IMAGE, Modality.LATENT),
        latent_spaces=(space,),
        deterministic=True,
        parity=parity((encoder, decoder)),
        network={
            "height": model.size,
            "width": model.size,
            "channels": model.channels,
            "space": space.id,
            "places": list(model.places),
            "codes": size,
        },
        **provenance.fields(),
    )


def _moved(distances: nn.Module, encoder: Exported, pictures: Tensor) -> int:
    """How many places get another code in ONNX Runtime though torch has it farther than both their errors."""
    session = ort.InferenceSession(encoder.onnx, providers=["CPUExecutionProvider"])
    moved = 0
    for part in pictures.split(_ROWS):
        with torch.no_grad():
            wanted = distances(part).numpy()
        (got,) = session.run(None, {"image": part.numpy()})
        error = np.abs(got - wanted).max()
        taken = np.take_along_axis(wanted, got.argmin(axis=1)[:, None], axis=1)[:, 0]
        moved += int((taken - wanted.min(axis=1) > 2 * error).sum())
    return moved
