"""Files on the command line: pictures, tables and latents, read before anything is sent, and written as they come."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import PIL
import typer
from PIL import Image as Pillow

from sextant.contract.codecs.image import image_from_pillow, pillow_from_image
from sextant.contract.media import Image, Latent, Media, Table

PICTURES = (".png", ".jpg", ".jpeg", ".webp")
TABLE, LATENT = ".csv", ".npz"
_KNOWN = (*PICTURES, TABLE, LATENT)


def name_files(arguments: Sequence[str]) -> bool:
    """Whether the arguments are files rather than texts: all end like files that are read, and all are there."""
    like_files = [Path(argument).suffix.lower() in _KNOWN for argument in arguments]
    if not any(like_files):
        return False
    for argument, like_file in zip(arguments, like_files, strict=True):
        if not like_file or not Path(argument).is_file():
            raise typer.BadParameter(f"{argument!r} is no file that can be read; texts and files do not go together")
    return True


def read_file(path: Path) -> Media:
    """What is in a picture, .csv or .npz file. Raises `typer.BadParameter` where it cannot be read."""
    suffix = path.suffix.lower()
    try:
        if suffix in PICTURES:
            with Pillow.open(path) as picture:
                return image_from_pillow(picture)
        if suffix == TABLE:
            return _read_table(path)
        if suffix == LATENT:
            return _read_latent(path)
    except PIL.UnidentifiedImageError:
        raise typer.BadParameter(f"{path} is not a picture") from None
    except (OSError, ValueError, KeyError) as error:
        raise typer.BadParameter(f"{path} cannot be read: {error}") from error
    raise typer.BadParameter(f"{path} must end in one of {', '.join(_KNOWN)}")


def read_picture(path: Path) -> Image:
    """A picture, and nothing else."""
    media = read_file(path)
    if not isinstance(media, Image):
        raise typer.BadParameter(f"{path} is no picture")
    return media


def read_latent_file(path: Path) -> Latent:
    """A latent that `sextant encode --out` wrote."""
    media = read_file(path)
    if not isinstance(media, Latent):
        raise typer.BadParameter(f"{path} is no latent; `sextant encode` writes them as .npz")
    return media


def items_of(paths: Sequence[Path]) -> tuple[list[str], list[Media]]:
    """Names and contents of all items: a file is one, but of a table every row is one."""
    names: list[str] = []
    items: list[Media] = []
    for path in paths:
        media = read_file(path)
        if isinstance(media, Table):
            names += [f"{path.name}:{row + 2}" for row in range(len(media.values))]  # the line in the file
            items += [Table(media.columns, row[None]) for row in media.values]
        else:
            names.append(path.name)
            items.append(media)
    return names, items


def batches(items: Sequence[Media], size: int) -> Iterator[Sequence[Media]]:
    """The items, `size` at a time."""
    return (items[first : first + size] for first in range(0, len(items), size))


def write_picture(path: Path, image: Image) -> None:
    """As the path's suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = pillow_from_image(image)
    picture.convert("RGB").save(path, quality=95) if path.suffix in (".jpg", ".jpeg") else picture.save(path)


def write_latent(path: Path, latent: Latent) -> None:
    """As NumPy's .npz: `space`, `mean` and, for a distribution, `variance`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {"space": np.array(latent.space), "mean": latent.mean}
    if latent.variance is not None:
        arrays["variance"] = latent.variance
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def _read_table(path: Path) -> Table:
    with path.open(newline="", encoding="utf-8") as file:
        lines = [line for line in csv.reader(file) if line]
    if len(lines) < 2:
        raise ValueError("a table has a line of column names and at least one of numbers")
    widths = {len(line) for line in lines}
    if len(widths) != 1:
        raise ValueError("its lines are not equally long")
    return Table(tuple(lines[0]), np.array([[float(cell) for cell in line] for line in lines[1:]]))


def _read_latent(path: Path) -> Latent:
    with np.load(path, allow_pickle=False) as saved:
        variance = saved.get("variance")
        return Latent(str(saved["space"]), saved["mean"], variance)
