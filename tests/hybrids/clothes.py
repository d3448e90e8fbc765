"""Hybrids over models that ship, which a platform under test serves beside those of the package."""

from pathlib import Path
from typing import Any

from sextant.bundles.store import SHIPPED_DIRECTORY, open_bundle
from sextant.bundles.writer import write_bundle
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind

SHIPPED = "fashion-refined"
CO_LOCATED = "fashion-refined-in-one-place"
REMEMBERED = "fashion-remembered"

# What diffusion draws, as a VAE remembers it: here the stage that takes long comes before the other family's.
_REMEMBERED: dict[str, Any] = {
    "answer": "paint",
    "stream": "draw",
    "stages": {
        "draw": {"model": "fashion-diffusion", "task": "generate", "seed": "request"},
        "remember": {"model": "fashion-vae", "task": "encode"},
        "paint": {"model": "fashion-vae", "task": "decode"},
    },
    "edges": [
        {"from": "draw", "to": "remember.source", "media": "image"},
        {"from": "remember", "to": "paint.source", "space": "fashion-vae/z"},
    ],
}


def write_clothes(directory: Path) -> None:
    """The hybrid that ships under another name, for replicas of its own; and `REMEMBERED`."""
    shipped = open_bundle(SHIPPED_DIRECTORY / SHIPPED).manifest
    for name, graph in ((CO_LOCATED, shipped.graph), (REMEMBERED, {"generate": _REMEMBERED})):
        write_bundle(
            directory,
            {},
            name=name,
            version="1.0.0",
            family="hybrid",
            architecture="graph",
            description="Clothes, 28 x 28, grey.",
            tasks=(TaskKind.GENERATE,),
            outputs=(Modality.IMAGE,),
            deterministic=True,
            license="Apache-2.0",
            provenance="a test",
            graph=graph,
        )
