"""`sextant generate image`: pictures, as files."""

from enum import StrEnum
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
    decision_of,
    pictures_of,
    tell_choice,
)
from sextant.cli.contact_sheet import write_sheet, write_strip
from sextant.cli.denoising_options import Eta, Guidance, Rule, Steps, diffusion_of
from sextant.cli.media_files import PICTURES, picture_file, write_picture
from sextant.cli.result_paths import is_file
from sextant.cli.terminal import AsJson, Model, Seed, Target, Timeout, connect, print_json
from sextant.client import Client
from sextant.client.requests import GenerateOptions
from sextant.contract.media import Image, Modality
from sextant.contract.tasks import (
    AutoregressiveParameters,
    CodeParameters,
    FlowParameters,
    GanParameters,
    VaeParameters,
)


class Suffix(StrEnum):
    """How pictures are written."""

    PNG = "png"
    WEBP = "webp"
    JPEG = "jpeg"


_ENDINGS = {Suffix.PNG: (".png",), Suffix.WEBP: (".webp",), Suffix.JPEG: (".jpg", ".jpeg")}


class Family(StrEnum):
    """Whose parameters --temperature and --guidance are, where the model does not say it."""

    VAE = "vae"
    FLOW = "flow"
    AUTOREGRESSIVE = "autoregressive"
    CODES = "codes"


def image(
    prompt: Annotated[str | None, typer.Argument(help="What to make, for models that read words.")] = None,
    count: Annotated[int, typer.Option(help="How many.")] = 1,
    label: Label = "",
    attributes: Attributes = None,
    out: Annotated[Path, typer.Option(help="Directory, or a file where there is one picture.")] = Path(),
    suffix: Annotated[
        Suffix | None, typer.Option("--format", help="How they are written. Default: png, or as --out FILE ends.")
    ] = None,
    grid: Grid = None,
    priority: Matters = None,
    truncation: Annotated[float | None, typer.Option(help="GANs: below 1 fewer kinds, but better ones.")] = None,
    mixing_layer: Annotated[int | None, typer.Option(help="StyleGAN: a second style from this layer on.")] = None,
    steps: Steps = None,
    sampler: Rule = None,
    guidance: Guidance = None,
    eta: Eta = None,
    strip: Annotated[
        Path | None,
        typer.Option(callback=picture_file, help="Diffusion, codes: also how the first one comes about, in ten."),
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help="VAEs, flows, PixelCNNs, codes: below 1 nearer to the likeliest.")
    ] = None,
    family: Annotated[
        Family | None,
        typer.Option(
            help="Whose --temperature it is; codes: of transformers over codes, and --guidance with it. "
            "Default: that of --model, or vae."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Name no files, only who made them and why.")] = False,
    model: Model = "",
    seed: Seed = None,
    timeout: Timeout = None,
    target: Target = None,
    as_json: AsJson = False,
) -> None:
    """Make pictures. Each is a file MODEL-SEED-NUMBER, written as it comes; --grid puts all on one sheet."""
    one = is_file(out, PICTURES, count)
    if one and suffix is not None and out.suffix.lower() not in _ENDINGS[suffix]:
        raise typer.BadParameter(f"--format {suffix} and --out {out} do not agree")
    gan = None
    if truncation is not None or mixing_layer is not None:
        gan = GanParameters(truncation=truncation, mixing_layer=mixing_layer)
    codes = None
    if family is Family.CODES:
        codes = CodeParameters(temperature, guidance=guidance, preview_every_steps=0 if strip is None else 1)
        temperature = guidance = None
    diffusion = diffusion_of(steps, sampler, guidance, eta, 0 if strip is None or codes is not None else 1)
    if sum(given is not None for given in (temperature, gan, diffusion, codes)) > 1:
        raise typer.BadParameter(
            "--temperature is for VAEs, flows and PixelCNNs, --truncation and --mixing-layer are for GANs, "
            "--steps, --sampler, --guidance, --eta and --strip for diffusion models; "
            "with --family codes --temperature, --guidance and --strip go together"
        )
    options: GenerateOptions = {
        "model": model,
        "seed": seed,
        "priority": priority,
        "count": count,
        "output": Modality.IMAGE,
        "conditions": conditions_of(label, attributes),
    }
    if gan is not None:
        options["gan"] = gan
    if diffusion is not None:
        options["diffusion"] = diffusion
    if codes is not None:
        options["codes"] = codes
    previews: list[Image] = []
    made: dict[int, Image] = {}
    paths: dict[int, Path] = {}
    with connect(target) as client:
        if temperature is not None:
            match family or _family_of(client, model):
                case Family.FLOW:
                    options["flow"] = FlowParameters(temperature=temperature)
                case Family.AUTOREGRESSIVE:
                    options["autoregressive"] = AutoregressiveParameters(temperature=temperature)
                case _:
                    options["vae"] = VaeParameters(temperature=temperature)
        stream = client.generate(prompt, timeout=timeout, **options)
        for item, picture in pictures_of(stream, previews):
            named = out / f"{decision_of(stream).model}-{stream.seed}-{item}.{suffix or Suffix.PNG}"
            made[item], paths[item] = picture, out if one else named
            write_picture(paths[item], picture)
            if not quiet and not as_json:
                print(f"{paths[item]}  {picture.pixels.shape[1]} x {picture.pixels.shape[0]}", flush=True)
    if grid is not None:
        write_sheet(grid, [made[item] for item in sorted(made)])
    if strip is not None:
        write_strip(strip, previews)
    if as_json:
        print_json({"files": [str(paths[item]) for item in sorted(paths)], **account_of(stream)})
    else:
        tell_choice(stream)


def _family_of(client: Client, model: str) -> Family:
    """The named model's. Raises `typer.BadParameter` where --temperature is not for it."""
    if not model:
        return Family.VAE
    family = client.model(model).family
    if family not in (Family.VAE, Family.FLOW, Family.AUTOREGRESSIVE):
        raise typer.BadParameter(
            f"--temperature is for VAEs, flows and PixelCNNs, and {model} is of another family: {family}"
        )
    return Family(family)
