"""`sextant transform`: pictures made out of pictures."""

from pathlib import Path
from typing import Annotated

import typer

from sextant.cli.asking import (
    Attributes,
    Grid,
    Label,
    Matters,
    account_of,
    conditions_of,
    pictures_of,
    receipt_of,
    tell_choice,
)
from sextant.cli.blame import blaming_files
from sextant.cli.contact_sheet import write_pairs
from sextant.cli.denoising_options import Guidance, Rule, Steps, diffusion_of
from sextant.cli.media_files import PICTURES, read_picture, write_picture
from sextant.cli.result_paths import check_distinct, is_file
from sextant.cli.terminal import AsJson, Model, Seed, Target, Timeout, connect, print_json
from sextant.client import EventStream
from sextant.client.requests import TransformOptions
from sextant.contract.errors import SextantError
from sextant.contract.media import Image


def transform(
    sources: Annotated[list[Path], typer.Argument(help="Pictures.")],
    direction: Annotated[str, typer.Option(help="Of a translator, for example noto-to-fluent.")] = "",
    attributes: Attributes = None,
    label: Label = "",
    prompt: Annotated[str | None, typer.Option(help="What to make of it, for models that read words.")] = None,
    strength: Annotated[float | None, typer.Option(help="How far to depart from the source.")] = None,
    mask: Annotated[Path | None, typer.Option(help="A picture: white is changed, black is kept.")] = None,
    steps: Steps = None,
    sampler: Rule = None,
    guidance: Guidance = None,
    out: Annotated[Path, typer.Option(help="Directory, or a file where there is one source.")] = Path(),
    grid: Grid = None,
    priority: Matters = None,
    model: Model = "",
    seed: Seed = None,
    timeout: Timeout = None,
    target: Target = None,
    as_json: AsJson = False,
) -> None:
    """Translate or edit pictures. Each result is a file SOURCE-MODEL.png; --grid puts each under its source.

    All are made by one model. The blanks of a text are filled by `sextant fill-mask`.
    """
    one = is_file(out, PICTURES, len(sources))
    check_distinct(sources)
    named = [*(attributes or ()), *([f"direction={direction}"] if direction else [])]
    options: TransformOptions = {
        "model": model,
        "seed": seed,
        "priority": priority,
        "conditions": conditions_of(label, named),
        "strength": strength,
    }
    if prompt is not None:
        options["prompt"] = prompt
    if (diffusion := diffusion_of(steps, sampler, guidance)) is not None:
        options["diffusion"] = diffusion
    if mask is not None:
        options["mask"] = read_picture(mask)
    given = [read_picture(source) for source in sources]
    made: list[Image] = []
    streams: list[EventStream] = []
    files: list[Path] = []
    with connect(target) as client:
        for source, picture in zip(sources, given, strict=True):
            with blaming_files({"source": str(source), "mask": str(mask)}):
                stream = client.transform(picture, timeout=timeout, **options)
                results = [result for _, result in pictures_of(stream)]
            if len(results) != 1:
                raise SextantError(f"one picture was asked for, and {len(results)} came")
            files.append(out if one else out / f"{source.stem}-{receipt_of(stream).model}.png")
            write_picture(files[-1], results[0])
            if not as_json:
                print(files[-1], flush=True)
            made += results
            streams.append(stream)
            options["model"] = receipt_of(stream).model
    if grid is not None:
        write_pairs(grid, given, made)
    if as_json:
        told = zip(sources, files, streams, strict=True)
        print_json([{"source": str(source), "file": str(file), **account_of(stream)} for source, file, stream in told])
    else:
        tell_choice(streams[0], sum(receipt_of(stream).total_s for stream in streams), seed=False)
