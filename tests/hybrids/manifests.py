"""Manifests of stages that do not exist, and hybrids over them as their authors would write them."""

import tomllib
from typing import Any

from sextant.bundles.manifest import File, LatentSpace, Manifest
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind

_FILE = File(sha256="0" * 64, bytes=1)


def model(name: str, family: str, tasks: tuple[TaskKind, ...], inputs, outputs, spaces=(), **network: Any) -> Manifest:
    return Manifest(
        name=name,
        version="1.0.0",
        family=family,
        architecture="none",
        description="",
        tasks=tasks,
        inputs=inputs,
        outputs=outputs,
        latent_spaces=spaces,
        deterministic=True,
        license="Apache-2.0",
        provenance="a test",
        network=network,
        files={"model.onnx": _FILE},
    )


_TOKENS = LatentSpace(id="words/tokens", shape=(0, 8))
_CODE = LatentSpace(id="faces/z", shape=(4, 8, 8))
_T, _I, _L = Modality.TEXT, Modality.IMAGE, Modality.LATENT

MODELS = {
    found.name: found
    for found in (
        model("words", "transformer", (TaskKind.ENCODE,), (_T,), (_L,), (_TOKENS,)),
        model(
            "denoiser",
            "diffusion",
            (TaskKind.GENERATE, TaskKind.TRANSFORM),
            (_L,),
            (_L,),
            (_CODE, LatentSpace(id="words/tokens", shape=(0, 8), condition=True)),
        ),
        model(
            "faces",
            "vae",
            (TaskKind.GENERATE, TaskKind.ENCODE, TaskKind.DECODE, TaskKind.SCORE),
            (_I, _L),
            (_I, _L),
            (_CODE,),
            height=64,
            width=64,
            channels=3,
        ),
        model("clothes", "diffusion", (TaskKind.TRANSFORM,), (_I,), (_I,), height=28, width=28, channels=1),
        model(
            "long-words",
            "transformer",
            (TaskKind.ENCODE,),
            (_T,),
            (_L,),
            (LatentSpace(id="words/tokens", shape=(0, 16)),),
        ),
    )
}

# Words to tokens, tokens to a latent, the latent to a face.
PAINTING = """
answer = "paint"
stream = "denoise"
preview = "paint"

[stages.read]
model = "words"
task = "encode"

[stages.nothing]
model = "words"
task = "encode"
text = "nothing"

[stages.denoise]
model = "denoiser"
task = "generate"
parameters = { steps = 20, guidance = 3.0 }

[stages.paint]
model = "faces"
task = "decode"

[[edges]]
from = "request.prompt"
to = "read.source"

[[edges]]
from = "read"
to = "denoise.conditions"
space = "words/tokens"

[[edges]]
from = "nothing"
to = "denoise.negative"
space = "words/tokens"

[[edges]]
from = "denoise"
to = "paint.source"
space = "faces/z"
"""


def hybrid(toml: str | dict[str, Any] = PAINTING, task: str = "generate", **changes: Any) -> Manifest:
    """A hybrid of one task, its graph as TOML."""
    drawn = tomllib.loads(toml) if isinstance(toml, str) else toml
    content: dict[str, Any] = {
        "name": "painter",
        "version": "1.0.0",
        "family": "hybrid",
        "architecture": "graph",
        "description": "Paints.",
        "tasks": [task],
        "inputs": ["text"],
        "outputs": ["image"],
        "deterministic": True,
        "license": "Apache-2.0",
        "provenance": "a test",
        "graph": {task: drawn},
    }
    return Manifest.model_validate({**content, **changes})
