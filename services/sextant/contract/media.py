"""Content inside Sextant: decoded, in NumPy, ready for a network. `codecs` turns it into files and back."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class Modality(StrEnum):
    """The kind of a medium, as manifests and the guide spell it."""

    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"
    MUSIC = "music"
    TABLE = "table"
    LATENT = "latent"
    TENSOR = "tensor"


@dataclass(frozen=True)
class Text:
    """UTF-8 text."""

    content: str


@dataclass(frozen=True)
class Image:
    """A picture: `pixels` is uint8[height, width, channels], channels 1 (grey), 3 (RGB) or 4 (RGBA)."""

    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class Audio:
    """Sound: `samples` is float32[time, channels] in [-1, 1]."""

    samples: NDArray[np.float32]
    sample_rate_hz: int


@dataclass(frozen=True)
class Music:
    """Notes, as a complete Standard MIDI File."""

    midi: bytes


@dataclass(frozen=True)
class Table:
    """Rows of numbers: `values` is float[rows, columns]."""

    columns: tuple[str, ...]
    values: NDArray[np.floating]


@dataclass(frozen=True)
class Latent:
    """A point of the latent space `space`, or a diagonal Gaussian where `variance` (same shape) is given."""

    space: str
    mean: NDArray[np.floating]
    variance: NDArray[np.floating] | None = None


@dataclass(frozen=True)
class Tensor:
    """A raw array."""

    array: NDArray[np.generic]


Media = Text | Image | Audio | Music | Table | Latent | Tensor

MODALITY_OF: dict[type, Modality] = {
    Text: Modality.TEXT,
    Image: Modality.IMAGE,
    Audio: Modality.AUDIO,
    Music: Modality.MUSIC,
    Table: Modality.TABLE,
    Latent: Modality.LATENT,
    Tensor: Modality.TENSOR,
}
