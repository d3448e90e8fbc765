"""A trained transformer over codes as a bundle: `place.onnx`, and `reader.onnx` where it is told words."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from sextant.bundles.store import Bundle
from sextant.bundles.writer import write_bundle
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.families.onnx_export import export, parity, rounded
from sextant.families.provenance import Provenance
from sextant.families.transformer.codes_config import CodesConfig, WordsPart
from sextant.families.transformer.codes_networks import CodeStep, CodeTransformer
from sextant.families.transformer.codes_sampler import PLACE_FILE, READER_FILE

_ROWS = 8


def export_codes(
    network: CodeTransformer,
    directory: Path,
    name: str,
    space: str,
    *,
    provenance: Provenance,
    words: str = "",
    defaults: Mapping[str, Any] | None = None,
) -> Bundle:
    """Writes the bundle `directory / name`, which makes codes of `space` and is told states of the space `words`."""
    tokens, width = network.context
    config = CodesConfig(
        space=space,
        places=network.places,
        codes=network.codes,
        layers=network.layers,
        heads=network.heads,
        head_dim=network.width // network.heads,
        words=WordsPart(space=words, tokens=tokens, width=width) if tokens else None,
    )
    plain: Any = rounded(network)
    inputs = {"code": torch.randint(config.codes + 1, (_ROWS,)), "position": torch.randint(config.count, (_ROWS,))}
    named = len(inputs)
    lengths = torch.arange(_ROWS) * tokens // (_ROWS - 1)
    if tokens:
        inputs["length"] = lengths
    inputs |= {cache: torch.randn(_ROWS, *config.cache) for cache in config.caches}
    files = {PLACE_FILE: export(CodeStep(plain), inputs, ["logits", "new"], listed=len(inputs) - named)}
    if tokens:
        states = {"states": torch.randn(_ROWS, tokens, width), "length": lengths.clamp(min=1)}
        files[READER_FILE] = export(plain.reader, states, ["offered"])
    return write_bundle(
        directory,
        {file: exported.onnx for file, exported in files.items()},
        name=name,
        family="transformer",
        architecture="code-transformer",
        tasks=(TaskKind.GENERATE, TaskKind.TRANSFORM),
        inputs=(Modality.LATENT,),
        outputs=(Modality.LATENT,),
        latent_spaces=config.latent_spaces,
        deterministic=True,
        parity=parity(list(files.values())),
        network=config.model_dump(exclude_defaults=True),
        defaults=dict(defaults or {}),
        **provenance.fields(),
    )
