"""`sextant generate music`: music, as MIDI and as sound."""

from pathlib import Path
from typing import Annotated

import typer

from sextant.cli.asking import Attributes, Matters, account_of, conditions_of, tell_choice
from sextant.cli.blame import blaming_files
from sextant.cli.denoising_options import Guidance, Rule, Steps, diffusion_of
from sextant.cli.sound_files import MIDI, read_music, write_music
from sextant.cli.terminal import AsJson, Model, Seed, Target, Timeout, connect, print_json
from sextant.client.requests import GenerateOptions, TransformOptions
from sextant.contract.errors import SextantError
from sextant.contract.media import Modality, Music


def music(
    source: Annotated[Path | None, typer.Argument(help="A MIDI file to compose to: a melody, or a beginning.")] = None,
    key: Annotated[str, typer.Option(help="For example 'G major'. Default: the source's, or any.")] = "",
    keep: Annotated[str, typer.Option(help="Voices of the source that stay, for example soprano,bass.")] = "",
    keep_beats: Annotated[float | None, typer.Option(help="How much of the source stays, from its beginning.")] = None,
    tempo: Annotated[float | None, typer.Option(help="Beats a minute.")] = None,
    attributes: Attributes = None,
    out: Annotated[Path, typer.Option(help="A .mid file; a .wav file is written beside it.")] = Path("music.mid"),
    steps: Steps = None,
    sampler: Rule = None,
    guidance: Guidance = None,
    priority: Matters = None,
    model: Model = "",
    seed: Seed = None,
    timeout: Timeout = None,
    target: Target = None,
    as_json: AsJson = False,
) -> None:
    """Compose: freely, or to a given melody or beginning, whose notes stay as they are."""
    if out.suffix.lower() not in MIDI:
        raise typer.BadParameter(f"--out {out} must end in one of {', '.join(MIDI)}")
    if source is None and (keep or keep_beats is not None):
        raise typer.BadParameter("--keep and --keep-beats are of a source, and there is none")
    named = [*(attributes or ())]
    named += [f"keep={keep}"] if keep else []
    named += [f"keep_beats={keep_beats:g}"] if keep_beats is not None else []
    named += [f"tempo_bpm={tempo:g}"] if tempo is not None else []
    conditions = conditions_of(key, named)
    diffusion = diffusion_of(steps, sampler, guidance)
    with connect(target) as client, blaming_files({"source": str(source)}):
        if source is None:
            free: GenerateOptions = {
                "model": model,
                "seed": seed,
                "priority": priority,
                "conditions": conditions,
                "output": Modality.MUSIC,
                "diffusion": diffusion,
            }
            stream = client.generate(timeout=timeout, **free).read()
        else:
            bound: TransformOptions = {
                "model": model,
                "seed": seed,
                "priority": priority,
                "conditions": conditions,
                "diffusion": diffusion,
            }
            stream = client.transform(read_music(source), timeout=timeout, **bound).read()
    made = stream.only_answer().media
    if not isinstance(made, Music):
        raise SextantError(f"music was asked for, and a {type(made).__name__.lower()} came")
    rendered = write_music(out, made)
    if as_json:
        print_json({"files": [str(out), str(rendered)], **account_of(stream)})
    else:
        print(f"{out}\n{rendered}")
        tell_choice(stream)
