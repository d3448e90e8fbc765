"""Many pictures on one: small ones enlarged by whole numbers, so that every pixel can be seen."""

import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image as Pillow

from sextant.contract.codecs.image import pillow_from_image
from sextant.contract.media import Image

_GAP_PX = 4
_SMALL_PX, _WANTED_PX = 64, 84


def write_sheet(path: Path, images: Sequence[Image], columns: int | None = None) -> None:
    """Pictures in rows of `columns`, by default about as many as there are rows."""
    across = columns or math.ceil(math.sqrt(len(images)))
    height = max(image.pixels.shape[0] for image in images)
    width = max(image.pixels.shape[1] for image in images)
    scale = max(1, _WANTED_PX // max(height, width)) if max(height, width) < _SMALL_PX else 1
    cell_width, cell_height = width * scale + _GAP_PX, height * scale + _GAP_PX
    rows = math.ceil(len(images) / across)
    sheet = Pillow.new("RGB", (across * cell_width + _GAP_PX, rows * cell_height + _GAP_PX), "white")
    for index, image in enumerate(images):
        row, column = divmod(index, across)
        picture = pillow_from_image(image)
        enlarged = picture.resize((picture.width * scale, picture.height * scale), Pillow.Resampling.NEAREST)
        sheet.paste(enlarged.convert("RGB"), (_GAP_PX + column * cell_width, _GAP_PX + row * cell_height))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
