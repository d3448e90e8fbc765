"""Emoji in two styles: Noto (Google, Apache-2.0) and Fluent 3D (Microsoft, MIT), 64 x 64 RGB on white.

    npm pack emoji-datasource-google@16.0.0 @lobehub/fluent-emoji-3d@1.1.0

into the directory that `sextant zoo where` prints. The two sets draw the same characters, so a picture of one
has its true counterpart in the other: never shown in training, which is unpaired, but used to judge it.
"""

import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sextant.zoo.data.location import DataMissing, found, zoo_directory

SIZE = 64
PROVENANCE = (
    "Trained on Noto emoji (Google, Apache-2.0) and Fluent 3D emoji (Microsoft, MIT licence), without pairs, by the "
    "recipe of this name."
)
_HOW = "Get it with `npm pack emoji-datasource-google@16.0.0 @lobehub/fluent-emoji-3d@1.1.0` in that directory."
_NOTO, _FLUENT = "emoji-datasource-google-16.0.0.tgz", "lobehub-fluent-emoji-3d-1.1.0.tgz"
_HELD_OUT_EVERY = 8  # one emoji in eight is for judging


@dataclass(frozen=True, slots=True)
class EmojiPairs:
    """Row i of `noto` and `fluent`, uint8[n, 64, 64, 3], is the character `names[i]` (code points in hex)."""

    names: tuple[str, ...]
    noto: NDArray[np.uint8]
    fluent: NDArray[np.uint8]


@cache
def load(held_out: bool) -> EmojiPairs:
    """The characters that both sets draw: those for training, or those held out. Raises `DataMissing`."""
    directory = zoo_directory()
    noto = _read(directory / _NOTO, "package/img/google/64/", ".png")
    fluent = _read(directory / _FLUENT, "package/assets/", ".webp")
    names = sorted(noto.keys() & fluent.keys())
    chosen = [name for index, name in enumerate(names) if (index % _HELD_OUT_EVERY == 0) is held_out]
    return EmojiPairs(
        tuple(chosen), np.stack([noto[name] for name in chosen]), np.stack([fluent[name] for name in chosen])
    )


@cache
def _kind_of() -> dict[str, str]:
    """What kind of thing each character shows, by its code points."""
    with tarfile.open(found(zoo_directory() / _NOTO, _HOW)) as tar:
        file = tar.extractfile("package/emoji.json")
        if file is None:
            raise DataMissing(f"{_NOTO} has no emoji.json. {_HOW}")
        entries = json.load(file)
    kinds = {}
    for entry in entries:
        for variant in (entry, *entry.get("skin_variations", {}).values()):
            kinds[variant["unified"].lower().replace("-fe0f", "")] = entry["category"]
    return kinds


def kinds(names: Sequence[str]) -> NDArray[np.int64]:
    """The kind of each character (smileys, animals, flags, ...) as a number from 0; `names` as in `EmojiPairs`."""
    known = _kind_of()
    ordered = sorted(set(known.values()))
    return np.array([ordered.index(known[name]) for name in names])


def _read(archive: Path, prefix: str, suffix: str) -> dict[str, NDArray[np.uint8]]:
    pictures = {}
    with tarfile.open(found(archive, _HOW)) as tar:
        for member in tar:
            if member.name.startswith(prefix) and member.name.endswith(suffix):
                file = tar.extractfile(member)
                if file is not None:
                    name = member.name.removeprefix(prefix).removesuffix(suffix)
                    pictures[name.replace("-fe0f", "")] = _on_white(file.read())
    return pictures


def _on_white(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as picture:
        rgba = picture.convert("RGBA").resize((SIZE, SIZE), Image.Resampling.LANCZOS)
    white = Image.new("RGBA", rgba.size, "white")
    white.alpha_composite(rgba)
    return np.asarray(white.convert("RGB"))
