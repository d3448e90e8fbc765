"""Contact sheets: many pictures on one page, enlarged by whole pixels so that each is seen as it is.

`grid` shows pictures in rows, `traversal` what becomes of a picture along each coordinate of a latent space, and
`pairs` sources beside their results and, where it is known, the truth. Each answers with a pillow image;
`sheet.save("sheet.png", optimize=True)` writes it.
"""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_PAPER, _INK = (255, 255, 255), (40, 40, 40)
_LETTER_PX = 13
_MARGIN_PX = 6
_LINE = 36  # letters


def grid(
    images: NDArray[np.uint8],
    columns: int,
    *,
    scale: int = 1,
    gap_px: int = 2,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
) -> Image.Image:
    """Pictures uint8[n, h, w, 1 or 3] in rows of `columns`, `scale` times as large, `gap_px` apart.

    Labels stand left of each row, on several lines if they have them, and above each column; one for each, or none at
    all.
    """
    _check(images, columns, scale)
    rows = -(-len(images) // columns)
    for what, labels, wanted in (("row", row_labels, rows), ("column", column_labels, columns)):
        if labels and len(labels) != wanted:
            raise ValueError(f"there are {wanted} {what}s, but {len(labels)} {what} labels")
    font = ImageFont.load_default(_LETTER_PX)
    tall, wide = images.shape[1] * scale, images.shape[2] * scale
    lines = [line for label in row_labels for line in label.splitlines()]
    left = max((_MARGIN_PX * 2 + round(font.getlength(line)) for line in lines), default=gap_px)
    top = _LETTER_PX + _MARGIN_PX * 2 if column_labels else gap_px
    size = left + columns * (wide + gap_px), top + rows * (tall + gap_px)
    sheet = Image.new("RGB", size, _PAPER)
    ink = ImageDraw.Draw(sheet)
    for place, image in enumerate(images):
        row, column = divmod(place, columns)
        sheet.paste(_enlarged(image, scale), (left + column * (wide + gap_px), top + row * (tall + gap_px)))
    for row, label in enumerate(row_labels):
        ink.text((_MARGIN_PX, top + row * (tall + gap_px) + tall / 2), label, _INK, font, anchor="lm")
    for column, label in enumerate(column_labels):
        middle = left + column * (wide + gap_px) + wide / 2
        ink.text((middle, top / 2), label, _INK, font, anchor="mm")
    return sheet


def traversal(
    frames: NDArray[np.uint8], *, coordinates: Sequence[str] = (), positions: Sequence[str] = (), scale: int = 1
) -> Image.Image:
    """`frames` uint8[coordinates, positions, h, w, c]: a row for each coordinate, a column for each of its values."""
    if frames.ndim != 5:
        raise ValueError(f"frames must be [coordinates, positions, h, w, c], not {list(frames.shape)}")
    flat = frames.reshape(-1, *frames.shape[2:])
    return grid(flat, frames.shape[1], scale=scale, row_labels=coordinates, column_labels=positions)


def pairs(
    sources: NDArray[np.uint8],
    results: NDArray[np.uint8],
    truths: NDArray[np.uint8] | None = None,
    *,
    scale: int = 1,
    labels: Sequence[str] = ("source", "result", "truth"),
    row_labels: Sequence[str] = (),
) -> Image.Image:
    """A row for each source uint8[n, h, w, c]: the source, its result and, where given, the truth, alike in shape."""
    shown = [sources, results] if truths is None else [sources, results, truths]
    if any(images.shape != sources.shape for images in shown):
        raise ValueError(f"sources, results and truths must be alike, not {[images.shape for images in shown]}")
    side_by_side = np.stack(shown, axis=1).reshape(-1, *sources.shape[1:])
    return grid(side_by_side, len(shown), scale=scale, row_labels=row_labels, column_labels=tuple(labels[: len(shown)]))


def beneath(sheet: Path, more: Image.Image) -> Image.Image:
    """The sheet in a file, and another one below it."""
    whole = Image.open(sheet)
    joined = Image.new("RGB", (max(whole.width, more.width), whole.height + more.height), _PAPER)
    joined.paste(whole, (0, 0))
    joined.paste(more, (0, whole.height))
    return joined


def wrapped(captions: Sequence[str]) -> list[str]:
    """Captions as labels of rows that leave room for the pictures."""
    return [fill(caption, _LINE) for caption in captions]


def _enlarged(image: NDArray[np.uint8], scale: int) -> Image.Image:
    tall, wide, channels = image.shape
    picture = Image.fromarray(image[:, :, 0] if channels == 1 else image)
    return picture.resize((wide * scale, tall * scale), Image.Resampling.NEAREST)


def _check(images: NDArray[np.uint8], columns: int, scale: int) -> None:
    if images.dtype != np.uint8 or images.ndim != 4 or not len(images) or images.shape[3] not in (1, 3):
        raise ValueError(f"pictures must be uint8[n, h, w, 1 or 3], not {images.dtype}{list(images.shape)}")
    if columns < 1 or scale < 1:
        raise ValueError(f"there must be a column or more, at a scale of 1 or more, not {columns} at {scale}")
