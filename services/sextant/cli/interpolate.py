"""`sextant interpolate`: a path between two points, as an animation or frame by frame."""

from pathlib import Path
from typing import Annotated

import typer

from sextant.cli.asking import Grid, Label, Matters, conditions_of, pictures_of, tell_choice
from sextant.cli.contact_sheet import write_sheet
from sextant.cli.media_files import read_file, write_picture
from sextant.cli.terminal import Model, Seed, Target, Timeout, connect
from sextant.client.requests import InterpolateOptions
from sextant.contract.codecs.image import pillow_from_image
from sextant.contract.errors import SextantError
from sextant.contract.media import Image
from sextant.contract.tasks import InterpolationPath

_ANIMATIONS = (".gif", ".webp")
_LEAST_PX = 128


def interpolate(
    start: Annotated[Path | None, typer.Argument(help="A picture, or a latent (.npz). Default: drawn.")] = None,
    end: Annotated[Path | None, typer.Argument(help="The same for the end.")] = None,
    out: Annotated[Path, typer.Option(help="A .gif or .webp file, or a directory for the frames.")] = Path("path.gif"),
    frames: Annotated[int, typer.Option(help="How many, with both ends.")] = 16,
    path: Annotated[InterpolationPath | None, typer.Option(help="Default: the model's own.")] = None,
    traverse: Annotated[int | None, typer.Option(help="Move this one latent axis and hold the rest.")] = None,
    label: Label = "",
    fps: Annotated[float, typer.Option(min=0.5, max=50, help="Frames a second of the animation.")] = 12.0,
    loop: Annotated[bool, typer.Option("--loop", help="There and back again, so that it never jumps.")] = False,
    grid: Grid = None,
    priority: Matters = None,
    model: Model = "",
    seed: Seed = None,
    timeout: Timeout = None,
    target: Target = None,
) -> None:
    """Walk from one picture to another through a model's latent space."""
    if out.suffix and out.suffix not in _ANIMATIONS:
        raise typer.BadParameter(f"--out must end in {' or '.join(_ANIMATIONS)}, or name a directory")
    options: InterpolateOptions = {
        "model": model,
        "seed": seed,
        "priority": priority,
        "frames": frames,
        "path": path,
        "traverse_index": traverse,
        "conditions": conditions_of(label, None),
    }
    ends = [None if given is None else read_file(given) for given in (start, end)]
    with connect(target) as client:
        stream = client.interpolate(*ends, timeout=timeout, **options).read()
    made = list(pictures_of(stream).values())
    if not made:
        raise SextantError("the frames are no pictures: name a model of pictures")
    if out.suffix:
        _write_animation(out, made + made[-2:0:-1] if loop else made, fps)
        print(f"{out}  {len(made)} frames")
    else:
        for number, frame in enumerate(made):
            write_picture(out / f"frame-{number:03d}.png", frame)
        print(f"{out}/  {len(made)} frames")
    if grid is not None:
        write_sheet(grid, made)
    tell_choice(stream)


def _write_animation(out: Path, frames: list[Image], fps: float) -> None:
    """Small frames are enlarged by a whole number, as players would blur them."""
    pictures = [pillow_from_image(frame).convert("RGB") for frame in frames]
    width, height = pictures[0].size
    scale = max(1, _LEAST_PX // max(width, height))
    first, *rest = (picture.resize((width * scale, height * scale), 0) for picture in pictures)
    out.parent.mkdir(parents=True, exist_ok=True)
    first.save(out, save_all=True, append_images=rest, duration=round(1000 / fps), loop=0)
