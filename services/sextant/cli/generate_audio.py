"""`sextant generate audio`: sound, as a file."""

from pathlib import Path
from typing import Annotated

import typer

from sextant.cli.asking import Attributes, Label, Matters, account_of, conditions_of, decision_of, tell_choice
from sextant.cli.result_paths import is_file
from sextant.cli.sound_files import SOUNDS, write_sound
from sextant.cli.terminal import AsJson, Model, Seed, Target, Timeout, connect, print_json
from sextant.client import Answer
from sextant.client.requests import GenerateOptions
from sextant.contract.errors import SextantError
from sextant.contract.media import Audio, Modality
from sextant.contract.tasks import AutoregressiveParameters


def audio(
    count: Annotated[int, typer.Option(help="How many.")] = 1,
    label: Label = "",
    attributes: Attributes = None,
    out: Annotated[Path, typer.Option(help="Directory, or a .wav or .flac file where there is one sound.")] = Path(),
    seconds: Annotated[float, typer.Option(help="How long; 0 is the model's own length.")] = 0.0,
    temperature: Annotated[float | None, typer.Option(help="Below 1 nearer to the likeliest.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Only the nucleus of probability p.")] = None,
    priority: Matters = None,
    model: Model = "",
    seed: Seed = None,
    timeout: Timeout = None,
    target: Target = None,
    as_json: AsJson = False,
) -> None:
    """Make sound: a spoken digit for example, with --class 7 --attribute voice=low."""
    one = is_file(out, SOUNDS, count)
    options: GenerateOptions = {
        "model": model,
        "seed": seed,
        "priority": priority,
        "count": count,
        "output": Modality.AUDIO,
        "duration_s": seconds,
        "conditions": conditions_of(label, attributes),
    }
    if temperature is not None or top_p is not None:
        options["autoregressive"] = AutoregressiveParameters(temperature=temperature, top_p=top_p)
    paths: list[Path] = []
    with connect(target) as client:
        stream = client.generate(timeout=timeout, **options)
        for event in stream.events():
            if not isinstance(event, Answer):
                continue
            if not isinstance(event.media, Audio):
                raise SextantError(f"sound was asked for, and a {type(event.media).__name__.lower()} came")
            named = out / f"{decision_of(stream).model}-{stream.seed}-{event.item}.wav"
            paths.append(out if one else named)
            write_sound(paths[-1], event.media)
            if not as_json:
                length_s = len(event.media.samples) / event.media.sample_rate_hz
                print(f"{paths[-1]}  {length_s:.2f} s at {event.media.sample_rate_hz} Hz", flush=True)
    if as_json:
        print_json({"files": [str(path) for path in paths], **account_of(stream)})
    else:
        tell_choice(stream)
