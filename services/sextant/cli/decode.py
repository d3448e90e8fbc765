"""`sextant decode`: latents back to pictures."""

from pathlib import Path
from typing import Annotated

import typer

from sextant.cli.asking import Grid, Label, conditions_of
from sextant.cli.contact_sheet import write_sheet
from sextant.cli.media_files import read_latent_file, write_picture
from sextant.cli.terminal import Model, Seed, Target, Timeout, connect
from sextant.contract.errors import SextantError
from sextant.contract.media import Image


def decode(
    latents: Annotated[list[Path], typer.Argument(help="What `sextant encode --out DIR` wrote, .npz.")],
    label: Label = "",
    out: Annotated[Path, typer.Option(help="Directory for the results.")] = Path(),
    grid: Grid = None,
    model: Model = "",
    seed: Seed = None,
    timeout: Timeout = None,
    target: Target = None,
) -> None:
    """Decode latents with the model in whose space they are. Each picture is a file LATENT.png."""
    given = [read_latent_file(path) for path in latents]
    with connect(target) as client:
        made = client.decode(given, model=model, seed=seed, conditions=conditions_of(label, None), timeout=timeout)
    pictures = [media for media in made if isinstance(media, Image)]
    if len(pictures) != len(made):
        raise SextantError("the latents are not of pictures; the Python client decodes them")
    for path, picture in zip(latents, pictures, strict=True):
        written = out / f"{path.stem}.png"
        write_picture(written, picture)
        print(written)
    if grid is not None:
        write_sheet(grid, pictures)
    print(f"{made.receipt.model} in {1000 * made.receipt.total_s:.0f} ms")
