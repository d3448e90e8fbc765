"""A trained flow as a bundle: `forward.onnx` and `inverse.onnx`."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save
from torch import Tensor, nn

from sextant.bundles.manifest import LatentSpace
from sextant.bundles.store import Bundle
from sextant.bundles.writer import write_bundle
from sextant.contract.events import Estimator
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.families.flow.networks import Glow, RealNvp
from sextant.families.onnx_export import export, parity, rounded
from sextant.families.provenance import Provenance

ATTRIBUTES_FILE = "attributes.safetensors"
_TASKS = (TaskKind.GENERATE, TaskKind.ENCODE, TaskKind.DECODE, TaskKind.INTERPOLATE, TaskKind.SCORE)


def export_real_nvp(
    flow: RealNvp, rows: Tensor, directory: Path, name: str, *, columns: Sequence[str], provenance: Provenance
) -> Bundle:
    """Writes the bundle `directory / name`; `rows` are examples of the data, to compare the networks on."""
    plain = rounded(flow)
    return _write(
        plain,
        rows,
        directory,
        name,
        provenance,
        architecture="realnvp",
        modality=Modality.TABLE,
        latent_dim=len(columns),
        network={"columns": list(columns)},
    )


def export_glow(
    flow: Glow,
    pictures: Tensor,
    directory: Path,
    name: str,
    *,
    attributes: Mapping[str, NDArray[np.float32]],
    temperature: float,
    provenance: Provenance,
) -> Bundle:
    """Writes the bundle `directory / name`; `attributes` are directions f32[latent_dim] by name.

    `temperature` is what it samples with unless told otherwise: below 1 fewer pictures fall apart.
    """
    plain = fixed(flow)
    network = {
        "height": flow.size,
        "width": flow.size,
        "channels": flow.channels,
        "latent_dim": flow.latent_dim,
        "attributes": list(attributes),
    }
    return _write(
        plain,
        pictures,
        directory,
        name,
        provenance,
        architecture="glow",
        modality=Modality.IMAGE,
        latent_dim=flow.latent_dim,
        network=network,
        extra={ATTRIBUTES_FILE: save(dict(attributes))} if attributes else {},
        defaults={"temperature": temperature},
    )


def fixed(flow: Glow) -> Any:
    """The flow as it is exported: weights rounded, mixing matrices and their inverses fixed."""
    plain = copy.deepcopy(flow).eval()
    plain.fix_mixing()
    return rounded(plain)


def _write(
    plain: Any,
    examples: Tensor,
    directory: Path,
    name: str,
    provenance: Provenance,
    *,
    architecture: str,
    modality: Modality,
    latent_dim: int,
    network: dict[str, Any],
    extra: Mapping[str, bytes] | None = None,
    defaults: dict[str, Any] | None = None,
) -> Bundle:
    with torch.no_grad():
        z, _ = plain(examples)
    forward = export(plain, {"x": examples}, ["z", "log_det"])
    inverse = export(_Inverse(plain), {"z": z}, ["x"])
    edits = (TaskKind.TRANSFORM,) if extra else ()
    return write_bundle(
        directory,
        {"forward.onnx": forward.onnx, "inverse.onnx": inverse.onnx, **(extra or {})},
        name=name,
        family="flow",
        architecture=architecture,
        tasks=(*_TASKS, *edits),
        inputs=(modality, Modality.LATENT),
        outputs=(modality, Modality.LATENT),
        latent_spaces=(LatentSpace(id=f"{name}/z", shape=(latent_dim,)),),
        score_estimator=Estimator.EXACT,
        deterministic=True,
        parity=parity((forward, inverse)),
        network=network,
        defaults=defaults or {},
        **provenance.fields(),
    )


class _Inverse(nn.Module):
    """The flow the other way round."""

    def __init__(self, flow: Any) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, z: Tensor) -> Tensor:
        x: Tensor = self.flow.inverse(z)
        return x
