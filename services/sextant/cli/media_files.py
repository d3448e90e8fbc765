"""Files on the command line: read before anything is sent, and written as they come."""

import os.path
from collections.abc import Sequence
from pathlib import Path

import typer

from sextant.cli.latent_files import LATENT, read_latent
from sextant.cli.table_files import TABLE, read_rows
from sextant.contract.codecs.image import ImageFormat, decode_image, encode_image
from sextant.contract.errors import InvalidRequest
from sextant.contract.media import Image, Latent, Media, Table

_FORMAT_OF_SUFFIX = {
    ".png": ImageFormat.PNG,
    ".jpg": ImageFormat.JPEG,
    ".jpeg": ImageFormat.JPEG,
    ".webp": ImageFormat.WEBP,
}
PICTURES = tuple(_FORMAT_OF_SUFFIX)
_KNOWN = (*PICTURES, TABLE, LATENT)


def name_files(arguments: Sequence[str]) -> bool:
    """Whether the arguments are files rather than texts: all end like files that are read, and all are there.

    Raises `typer.BadParameter` for a mixture, and for a file that is there but of a kind that is not read.
    """
    like_files = [Path(argument).suffix.lower() in _KNOWN for argument in arguments]
    for argument, like_file in zip(arguments, like_files, strict=True):
        there = os.path.isfile(argument)  # Path's own raises for long texts
        if any(like_files) and not (like_file and there):
            raise typer.BadParameter(f"{argument!r} is no file that can be read; texts and files do not go together")
        if there and not like_file and Path(argument).suffix:
            raise typer.BadParameter(f"{argument!r} is a file, and must end in one of {', '.join(_KNOWN)}")
    return any(like_files)


def read_file(path: Path, suffixes: Sequence[str] = _KNOWN) -> Media:
    """What is in a picture, .csv or .npz file. Raises `typer.BadParameter` where it cannot be read."""
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        raise typer.BadParameter(f"{str(path)!r} must end in one of {', '.join(suffixes)}")
    if suffix in PICTURES:
        return read_picture(path)
    return read_latent(path) if suffix == LATENT else read_rows(path).table


def read_picture(path: Path) -> Image:
    """A picture, upright. Raises `typer.BadParameter` for anything else."""
    if path.suffix.lower() not in PICTURES:
        raise typer.BadParameter(f"{str(path)!r} is no picture: it must end in one of {', '.join(PICTURES)}")
    try:
        return decode_image(path.read_bytes())
    except InvalidRequest as error:
        raise typer.BadParameter(f"{path} {error.violations[0].description}") from None
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}") from error


def read_end(path: Path) -> Image | Latent:
    """An end of a path: a picture or a latent."""
    media = read_file(path, (*PICTURES, LATENT))
    assert isinstance(media, Image | Latent)
    return media


def items_of(paths: Sequence[Path]) -> tuple[list[str], list[Media]]:
    """Names and contents of all items: a file is one, but of a table every row is one, named FILE:LINE."""
    names: list[str] = []
    items: list[Media] = []
    for path in paths:
        if path.suffix.lower() == TABLE:
            rows = read_rows(path)
            names += [f"{path.name}:{line}" for line in rows.lines]
            items += [Table(rows.table.columns, row[None]) for row in rows.table.values]
        else:
            names.append(path.name)
            items.append(read_file(path))
    return names, items


def picture_file(path: Path | None) -> Path | None:
    """The path itself if a picture can be written there, by its suffix; `typer.BadParameter` if not."""
    if path is not None and path.suffix.lower() not in PICTURES:
        raise typer.BadParameter(f"{str(path)!r} must end in one of {', '.join(PICTURES)}")
    return path


def write_picture(path: Path, image: Image) -> None:
    """As the path's suffix says: PNG and WebP without loss, JPEG over white."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_image(image, _FORMAT_OF_SUFFIX[path.suffix.lower()]))
