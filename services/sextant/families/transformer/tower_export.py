"""A trained image tower as a bundle: `tower.onnx`."""

from pathlib import Path

import torch

from sextant.bundles.store import Bundle
from sextant.bundles.writer import write_bundle
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.families.onnx_export import export, parity, rounded
from sextant.families.provenance import Provenance
from sextant.families.transformer.tower_config import TowerConfig
from sextant.families.transformer.tower_networks import Tower
from sextant.families.transformer.tower_sampler import NETWORK_FILE

_ROWS = 8


def export_tower(tower: Tower, directory: Path, name: str, space: str, *, provenance: Provenance) -> Bundle:
    """Writes the bundle `directory / name`, which writes to the latent space `space`."""
    sizes = {"height": tower.size, "width": tower.size, "channels": tower.channels}
    config = TowerConfig.model_validate({**sizes, "space": space, "embedding": tower.embedding})
    pictures = torch.rand(_ROWS, tower.channels, tower.size, tower.size)
    network = export(rounded(tower), {"image": pictures}, ["embedding"])
    return write_bundle(
        directory,
        {NETWORK_FILE: network.onnx},
        name=name,
        family="transformer",
        architecture="image-tower",
        tasks=(TaskKind.ENCODE,),
        inputs=(Modality.IMAGE,),
        outputs=(Modality.LATENT,),
        latent_spaces=(config.latent_space,),
        deterministic=True,
        parity=parity((network,)),
        network=config.model_dump(exclude_defaults=True),
        **provenance.fields(),
    )
