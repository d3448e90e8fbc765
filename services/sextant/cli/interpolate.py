"""`sextant interpolate`: a path between two points, as an animation or frame by frame."""

from pathlib import Path
from typing import Annotated

import typer

from sextant.cli.asking import Grid, Label, Matters, account_of, conditions_of, pictures_of, tell_choice
from sextant.cli.blame import blaming_files
from sextant.cli.contact_sheet import write_sheet
from sextant.cli.enlarging import enlarged
from sextant.cli.media_files import read_end, write_picture
from sextant.cli.result_paths import is_file
from sextant.cli.terminal import AsJson, Model, Seed, Target, Timeout, connect, print_json
from sextant.client.requests import InterpolateOptions
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
    as_json: AsJson = False,
) -> None:
    """Walk from one picture to another through a model's latent space."""
    animated = is_file(out, _ANIMATIONS, 1)
    if loop and not animated:
        raise typer.BadParameter(f"--loop is for an animation: --out must end in {' or '.join(_ANIMATIONS)}")
    options: InterpolateOptions = {
        "model": model,
        "seed": seed,
        "priority": priority,
        "frames": frames,
        "path": path,
        "traverse_index": traverse,
        "conditions": conditions_of(label, None),
    }
    given = {"start": start, "end": end}
    ends = [None if file is None else read_end(file) for file in given.values()]
    made: dict[int, Image] = {}
    files = [out]
    with connect(target) as client, blaming_files({name: str(file) for name, file in given.items() if file}):
        stream = client.interpolate(*ends, timeout=timeout, **options)
        for number, frame in pictures_of(stream):
            made[number] = frame
            if not animated:
                write_picture(out / f"frame-{number:03d}.png", frame)
    walk = [made[number] for number in sorted(made)]
    if animated:
        _write_animation(out, walk + walk[-2:0:-1] if loop else walk, fps)
    else:
        files = [out / f"frame-{number:03d}.png" for number in sorted(made)]
    if grid is not None:
        write_sheet(grid, walk)
    if as_json:
        print_json({"files": [str(file) for file in files], "frames": len(walk), **account_of(stream)})
    else:
        print(f"{out}  {len(walk)} frames{', there and back' if loop else ''}")
        tell_choice(stream)


def _write_animation(out: Path, frames: list[Image], fps: float) -> None:
    """Small frames are enlarged by a whole number, as players would blur them. WebP keeps every colour, GIF 256."""
    height, width, _ = frames[0].pixels.shape
    scale = max(1, _LEAST_PX // max(width, height))
    first, *rest = (enlarged(frame, scale) for frame in frames)
    out.parent.mkdir(parents=True, exist_ok=True)
    first.save(out, save_all=True, append_images=rest, duration=round(1000 / fps), loop=0, lossless=True)
