"""What can flow where: the parts of a request, what stages read, and what their manifests say of both ends."""

from dataclasses import dataclass

from sextant.bundles.manifest import LatentSpace, Manifest
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind

# What a stage can read, with the media that it may be; None: no medium, but a value of the request.
PORTS: dict[str, frozenset[Modality] | None] = {
    "source": frozenset(Modality),
    "prompt": frozenset({Modality.TEXT}),
    "context": frozenset({Modality.TEXT}),
    "conditions": frozenset(Modality),
    "negative": frozenset(Modality),
    "mask": frozenset({Modality.IMAGE}),
    "class_label": None,
    "attributes": None,
    "strength": None,
}
# Ports that several edges may lead to.
SHARED_PORTS = frozenset({"conditions", "negative"})

# What a request may bring, with the medium that it is; None: the edge says which, or it is a value.
REQUEST_PARTS: dict[str, Modality | None] = {
    "prompt": Modality.TEXT,
    "source": None,
    "context": Modality.TEXT,
    "mask": Modality.IMAGE,
    "class_label": None,
    "attributes": None,
    "strength": None,
}
VALUES = frozenset({"class_label", "attributes", "strength"})

# What a task works on; without it there is nothing to do.
NEEDS_SOURCE = frozenset({TaskKind.TRANSFORM, TaskKind.ENCODE, TaskKind.DECODE, TaskKind.SCORE})


@dataclass(frozen=True, slots=True)
class Picture:
    """The size of pictures that a model makes or reads, in pixels."""

    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.width} x {self.height}"


def made_media(manifest: Manifest, task: TaskKind) -> frozenset[Modality]:
    """The media that a model may answer a task with. A manifest lists what all its tasks make together."""
    if task is TaskKind.ENCODE:
        return frozenset({Modality.LATENT})
    data = frozenset(manifest.outputs) - {Modality.LATENT}
    # What decodes makes data of latents; what generates latents alone has nothing else to make.
    return data or frozenset(manifest.outputs)


def space_of(manifest: Manifest, space: str, *, condition: bool) -> LatentSpace | None:
    """The latent space of that id, where the model knows it as a condition, or as what it makes and works on."""
    found = (known for known in manifest.latent_spaces if known.id == space and known.condition is condition)
    return next(found, None)


def picture_made(manifest: Manifest) -> Picture | None:
    """The size of the pictures that a model makes; None where its manifest does not say."""
    return _picture(manifest.network)


def picture_read(manifest: Manifest, port: str) -> Picture | None:
    """The size of the pictures that a model reads at a port; None where its manifest does not say."""
    if port == "conditions":
        given = manifest.network.get("given")
        return _picture(given) if isinstance(given, dict) else None
    return _picture(manifest.network)


def _picture(sizes: dict[str, object]) -> Picture | None:
    height, width = sizes.get("height"), sizes.get("width")
    return Picture(height, width) if isinstance(height, int) and isinstance(width, int) else None
