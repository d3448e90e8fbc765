"""`sextant generate image`: pictures, as files."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sextant.cli.asking import Attributes, Grid, Label, Matters, conditions_of, pictures_of, tell_choice
from sextant.cli.contact_sheet import write_sheet
from sextant.cli.media_files import write_picture
from sextant.cli.terminal import AsJson, Model, Seed, Target, Timeout, connect, print_json
from sextant.client.requests import GenerateOptions
from sextant.contract.media import Modality
from sextant.contract.tasks import FlowParameters, GanParameters, VaeParameters


class Suffix(StrEnum):
    """How pictures are written."""

    PNG = "png"
    WEBP = "webp"
    JPEG = "jpeg"


class Family(StrEnum):
    """Whose parameters --temperature are, where the model does not say it: a VAE's or a flow's."""

    VAE = "vae"
    FLOW = "flow"


def image(
    prompt: Annotated[str | None, typer.Argument(help="What to make, for models that read words.")] = None,
    count: Annotated[int, typer.Option(help="How many.")] = 1,
    label: Label = "",
    attributes: Attributes = None,
    out: Annotated[Path, typer.Option(help="Directory, or a file where there is one picture.")] = Path(),
    suffix: Annotated[Suffix, typer.Option("--format", help="How they are written.")] = Suffix.PNG,
    grid: Grid = None,
    priority: Matters = None,
    truncation: Annotated[float | None, typer.Option(help="GANs: below 1 fewer kinds, but better ones.")] = None,
    mixing_layer: Annotated[int | None, typer.Option(help="StyleGAN: a second style from this layer on.")] = None,
    temperature: Annotated[float | None, typer.Option(help="VAEs and flows: below 1 nearer to the mean.")] = None,
    family: Annotated[Family, typer.Option(help="Whose --temperature it is.")] = Family.VAE,
    quiet: Annotated[bool, typer.Option("--quiet", help="Name no files, only who made them and why.")] = False,
    model: Model = "",
    seed: Seed = None,
    timeout: Timeout = None,
    target: Target = None,
    as_json: AsJson = False,
) -> None:
    """Make pictures. Each is a file MODEL-SEED-NUMBER; --grid puts all on one sheet."""
    options: GenerateOptions = {
        "model": model,
        "seed": seed,
        "priority": priority,
        "count": count,
        "output": Modality.IMAGE,
        "conditions": conditions_of(label, attributes),
        **_parameters(truncation, mixing_layer, temperature, family),
    }
    with connect(target) as client:
        stream = client.generate(prompt, timeout=timeout, **options).read()
    made = pictures_of(stream)
    assert stream.receipt is not None
    paths = [out] if out.suffix else [out / f"{stream.receipt.model}-{stream.seed}-{n}.{suffix}" for n in made]
    if len(paths) != len(made):
        raise typer.BadParameter(f"--out names one file, and {len(made)} pictures came")
    for path, picture in zip(paths, made.values(), strict=True):
        write_picture(path, picture)
    if grid is not None:
        write_sheet(grid, list(made.values()))
    if as_json:
        print_json({"files": [str(path) for path in paths], "decision": stream.decision, "receipt": stream.receipt})
        return
    for path, picture in () if quiet else zip(paths, made.values(), strict=True):
        print(f"{path}  {picture.pixels.shape[1]} x {picture.pixels.shape[0]}")
    tell_choice(stream)


def _parameters(
    truncation: float | None, mixing_layer: int | None, temperature: float | None, family: Family
) -> GenerateOptions:
    gan = truncation is not None or mixing_layer is not None
    if gan and temperature is not None:
        raise typer.BadParameter("--temperature is for VAEs and flows, --truncation and --mixing-layer are for GANs")
    if gan:
        return {"gan": GanParameters(truncation=truncation, mixing_layer=mixing_layer)}
    if temperature is None:
        return {}
    if family is Family.VAE:
        return {"vae": VaeParameters(temperature=temperature)}
    return {"flow": FlowParameters(temperature=temperature)}
