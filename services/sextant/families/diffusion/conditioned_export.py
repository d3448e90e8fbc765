"""A trained conditioned denoiser as a bundle: `denoiser.onnx`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sextant.bundles.store import Bundle
from sextant.bundles.writer import write_bundle
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.families.diffusion.conditioned_config import ConditionedConfig
from sextant.families.diffusion.conditioned_networks import ConditionedUNet, VectorDenoiser
from sextant.families.onnx_export import export, parity, rounded
from sextant.families.provenance import Provenance

_ROWS = 8


def export_conditioned(
    network: ConditionedUNet | VectorDenoiser,
    directory: Path,
    name: str,
    config: ConditionedConfig,
    *,
    provenance: Provenance,
    defaults: Mapping[str, Any],
) -> Bundle:
    """Writes the bundle `directory / name`; `config` says what the network denoises and is told."""
    denoiser = export(rounded(network), _inputs(network), ["prediction"])
    is_vector = len(config.shape) == 1
    makes = Modality.LATENT if config.image is None else Modality.IMAGE
    told = {Modality.LATENT} if config.context or config.vector else set()
    reads = told | {makes} | ({Modality.IMAGE} if config.given else set())
    return write_bundle(
        directory,
        {"denoiser.onnx": denoiser.onnx},
        name=name,
        family="diffusion",
        architecture="prior" if is_vector else "conditioned-unet",
        tasks=(TaskKind.GENERATE,) if is_vector or config.given else (TaskKind.GENERATE, TaskKind.TRANSFORM),
        inputs=tuple(sorted(reads)),
        outputs=(makes,),
        latent_spaces=config.latent_spaces,
        deterministic=True,
        parity=parity((denoiser,)),
        network=config.model_dump(mode="json", exclude_none=True, exclude_defaults=True),
        defaults=dict(defaults),
        **provenance.fields(),
    )


def _inputs(network: ConditionedUNet | VectorDenoiser) -> dict[str, Tensor]:
    """Examples of all inputs, some with nothing to attend to."""
    told = network.told
    tokens, width = told.context
    lengths = torch.arange(_ROWS) % (tokens + 1)
    examples = {
        "context": torch.randn(_ROWS, tokens, width),
        "mask": (torch.arange(tokens)[None] < lengths[:, None]).float(),
        "vector": torch.randn(_ROWS, told.vector),
        "given": torch.randn(_ROWS, *network.shape),
    }
    common = {"x": torch.randn(_ROWS, *network.shape), "t": torch.linspace(0, network.steps - 1, _ROWS)}
    return {**common, **{name: examples[name] for name in told.names}}
