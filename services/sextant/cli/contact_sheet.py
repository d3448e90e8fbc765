"""Many pictures on one sheet."""

import math
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from PIL import Image as Pillow

from sextant.cli.enlarging import enlarged
from sextant.cli.media_files import write_picture
from sextant.contract.codecs.image import image_from_pillow
from sextant.contract.media import Image

_GAP_PX = 4
_SMALL_PX, _WANTED_PX = 64, 84
_MOST_PAIRS = 8  # in a row


def write_sheet(path: Path, images: Sequence[Image | None], columns: int | None = None) -> None:
    """Pictures in rows of `columns`, by default about as many as there are rows; None leaves a place free.

    All are enlarged alike, by what the largest needs, and stand at the upper left of their places.
    """
    across = columns or math.ceil(math.sqrt(len(images)))
    height = max(image.pixels.shape[0] for image in images if image)
    width = max(image.pixels.shape[1] for image in images if image)
    scale = max(1, _WANTED_PX // max(height, width)) if max(height, width) < _SMALL_PX else 1
    cell_width, cell_height = width * scale + _GAP_PX, height * scale + _GAP_PX
    rows = math.ceil(len(images) / across)
    sheet = Pillow.new("RGB", (across * cell_width + _GAP_PX, rows * cell_height + _GAP_PX), "white")
    for index, image in enumerate(images):
        if image is not None:
            row, column = divmod(index, across)
            sheet.paste(enlarged(image, scale), (_GAP_PX + column * cell_width, _GAP_PX + row * cell_height))
    write_picture(path, image_from_pillow(sheet))


def write_strip(path: Path, images: Sequence[Image], most: int = 10) -> None:
    """Pictures side by side; of more than `most`, so many at even distances, first and last among them."""
    places = (
        range(len(images)) if len(images) <= most else [round(n * (len(images) - 1) / (most - 1)) for n in range(most)]
    )
    write_sheet(path, [images[place] for place in places], len(places))


def write_pairs(path: Path, above: Sequence[Image], below: Sequence[Image]) -> None:
    """Each of `below` under its one of `above`."""
    across = min(len(above), _MOST_PAIRS)
    placed: list[Image | None] = []
    for first in range(0, len(above), across):
        for line in (above, below):
            placed += [one for one, _ in zip_longest(line[first : first + across], range(across))]
    write_sheet(path, placed, across)
