"""`sextant decode`: latents back to pictures and tables."""

from pathlib import Path
from typing import Annotated

import typer

from sextant.cli.asking import Grid, Label, conditions_of
from sextant.cli.batches import in_batches
from sextant.cli.contact_sheet import write_sheet
from sextant.cli.latent_files import read_latent
from sextant.cli.media_files import PICTURES, write_picture
from sextant.cli.result_paths import check_distinct, is_file
from sextant.cli.table_files import TABLE, write_table
from sextant.cli.terminal import AsJson, Model, Seed, Target, Timeout, connect, print_json
from sextant.client.requests import DecodeOptions
from sextant.contract.errors import SextantError
from sextant.contract.media import Image, Media, Table


def decode(
    latents: Annotated[list[Path], typer.Argument(help="What `sextant encode --out DIR` wrote, .npz.")],
    label: Label = "",
    out: Annotated[Path, typer.Option(help="Directory, or a file where there is one latent.")] = Path(),
    grid: Grid = None,
    model: Model = "",
    seed: Seed = None,
    timeout: Timeout = None,
    target: Target = None,
    as_json: AsJson = False,
) -> None:
    """Decode latents with the model in whose space they are. Each result is a file LATENT.png, or .csv for a table."""
    one = is_file(out, (*PICTURES, TABLE), len(latents))
    check_distinct(latents)
    given = [read_latent(path) for path in latents]
    options: DecodeOptions = {"model": model, "seed": seed, "conditions": conditions_of(label, None)}
    pictures: list[Image] = []
    files: list[Path] = []
    models: list[str] = []
    with connect(target) as client:
        answered = in_batches(
            "decoding",
            "latents",
            [str(path) for path in latents],
            given,
            options,
            lambda batch: client.decode(batch, timeout=timeout, **options),
        )
        for path, (media, by) in zip(latents, answered, strict=True):
            files.append(_write(out if one else out / path.stem, media, one=one))
            models.append(by)
            if isinstance(media, Image):
                pictures.append(media)
            if not as_json:
                print(files[-1], flush=True)
    if grid is not None:
        if not pictures:
            raise SextantError("there is no sheet of tables: --grid is for pictures")
        write_sheet(grid, pictures)
    if as_json:
        made = zip(latents, files, models, strict=True)
        print_json([{"latent": str(latent), "file": str(file), "model": by} for latent, file, by in made])
    else:
        print(f"by {models[0]}")


def _write(place: Path, media: Media, *, one: bool) -> Path:
    """In the file `place`, or in one of that name with the suffix of its kind."""
    match media:
        case Image():
            suffixes, suffix = PICTURES, ".png"
        case Table():
            suffixes, suffix = (TABLE,), TABLE
        case _:
            raise SextantError(
                f"the result is of kind {type(media).__name__.lower()}, which the command line does not write"
            )
    path = place if one else place.with_name(place.name + suffix)
    if path.suffix.lower() not in suffixes:
        kind = type(media).__name__.lower()
        raise SextantError(f"the result is of kind {kind}: --out must end in one of {', '.join(suffixes)}")
    write_picture(path, media) if isinstance(media, Image) else write_table(path, media)
    return path
