"""Faces without end: DiceBear's "pixel-art" style by Florian Körner, CC0, drawn from exact attributes.

`pip install 'sextant[zoo]'` brings the style and the renderer. A picture is a function of its attributes and
each attribute is drawn on its own, so captions and factors are true by construction.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

from sextant.zoo.data.location import DataMissing, zoo_directory

PROVENANCE = 'Trained on faces drawn with DiceBear\'s "pixel-art" style (CC0) by the recipe of this name.'

BACKGROUNDS = ("#b6e3f4", "#c0aede", "#d1d4f9", "#ffd5dc", "#ffdfbf", "#d0f0c0")
SKINS = ("#ffdbac", "#f5cfa0", "#eac393", "#e0b687", "#cb9e6e", "#b68655", "#a26d3d", "#8d5524")
HAIR_COLOURS = ("#28150a", "#603a14", "#a78961", "#cab188", "#611c17", "#bd1700", "#009bbd", "#91cb15")
CLOTHES_COLOURS = ("#03396c", "#428bca", "#5bc0de", "#00b159", "#88d8b0", "#ae0001", "#ff6f69", "#ffc425")
HAIRS = tuple(f"{length}{number:02d}" for length in ("long", "short") for number in (1, 3, 5, 7, 9, 11, 13, 15))
CLOTHES = tuple(f"variant{number:02d}" for number in (1, 3, 5, 9, 12))
EYES = tuple(f"variant{number:02d}" for number in (1, 3, 5, 8, 11))
MOUTHS = ("happy02", "happy04", "happy09", "sad01", "sad05")

# Every attribute of a face with its values, in the order in which they are drawn.
ATTRIBUTES: dict[str, tuple[Any, ...]] = {
    "background": BACKGROUNDS,
    "skin": SKINS,
    "hair": HAIRS,
    "hair_colour": HAIR_COLOURS,
    "eyes": EYES,
    "mouth": MOUTHS,
    "clothes": CLOTHES,
    "clothes_colour": CLOTHES_COLOURS,
    "glasses": (False, True),
    "beard": (False, True),
}

# The few factors that the disentanglement of latent spaces is measured on: ordered, and nothing else varies.
FACTORS: dict[str, tuple[Any, ...]] = {
    "background": ("#202020", "#505050", "#808080", "#b0b0b0", "#e0e0e0"),
    "skin": SKINS[::2],
    "hair": ("short03", "long01", "long05"),
    "clothes_colour": ("#03396c", "#428bca", "#5bc0de", "#b0e8f4"),
    "shift_percent": (-16, -8, 0, 8, 16),
    "scale": (0.7, 0.85, 1.0, 1.15),
}


@dataclass(frozen=True, slots=True)
class Faces:
    """Pictures uint8[n, size, size, 3], and for each the index of every attribute's value, int64[n, attributes]."""

    images: NDArray[np.uint8]
    values: NDArray[np.int64]
    attributes: Mapping[str, tuple[Any, ...]]


def load(count: int, size: int, seed: int, attributes: Mapping[str, tuple[Any, ...]] = ATTRIBUTES) -> Faces:
    """`count` faces of `size` x `size` pixels; kept on disk for the next time. Raises `DataMissing`."""
    kind = "factors" if attributes is FACTORS else "faces"
    kept = zoo_directory() / f"{kind}-{count}-{size}-{seed}.npz"
    if kept.exists():
        with np.load(kept) as saved:
            return Faces(saved["images"], saved["values"], attributes)
    rng = np.random.default_rng(seed)
    values = np.stack([rng.integers(len(options), size=count) for options in attributes.values()], axis=1)
    images = draw(values, size, attributes)
    partial = kept.with_suffix(".part.npz")
    np.savez_compressed(partial, images=images, values=values)
    partial.rename(kept)
    return Faces(images, values, attributes)


def draw(values: NDArray[np.int64], size: int, attributes: Mapping[str, tuple[Any, ...]]) -> NDArray[np.uint8]:
    """The faces with these values of their attributes, uint8[n, size, size, 3]."""
    try:
        from dicebear import Avatar, Style
        from resvg_py import svg_to_bytes
    except ImportError as error:
        raise DataMissing("Drawing faces needs `pip install 'sextant[zoo]'`.") from error
    style = Style(json.loads((files("dicebear_styles") / "pixel-art.json").read_text("utf-8")))
    images = np.empty((len(values), size, size, 3), np.uint8)
    for row, chosen in enumerate(track(values, description=f"drawing {len(values)} faces", transient=True)):
        picked = {name: options[index] for (name, options), index in zip(attributes.items(), chosen, strict=True)}
        svg = str(Avatar(style, _options(picked, chosen)))
        png = bytes(svg_to_bytes(svg_string=svg, width=size, height=size))
        images[row] = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    return images


def _options(picked: Mapping[str, Any], chosen: Sequence[int] | NDArray[np.int64]) -> dict[str, Any]:
    """DiceBear's options for these attributes; what is not named stays as plain as can be."""
    return {
        "seed": "-".join(str(index) for index in chosen),  # decides nothing that is not fixed below
        "backgroundColor": [picked["background"]],
        "skinColor": [picked["skin"]],
        "hairVariant": [picked["hair"]],
        "hairColor": [picked.get("hair_colour", HAIR_COLOURS[0])],
        "eyesVariant": [picked.get("eyes", EYES[2])],
        "eyesColor": ["#647b90"],
        "mouthVariant": [picked.get("mouth", MOUTHS[1])],
        "mouthColor": ["#de0f0d"],
        "clothesVariant": [picked.get("clothes", CLOTHES[0])],
        "clothingColor": [picked["clothes_colour"]],
        "glassesProbability": 100 if picked.get("glasses") else 0,
        "glassesVariant": ["dark01"],
        "glassesColor": ["#323232"],
        "beardProbability": 100 if picked.get("beard") else 0,
        "beardVariant": ["variant02"],
        "hatProbability": 0,
        "accessoriesProbability": 0,
        "translateX": picked.get("shift_percent", 0),
        "scale": picked.get("scale", 1),
    }
