"""The part of the demo that hybrids have: faces from words, each hybrid that ships for the same words and seeds."""

import time
from collections.abc import Sequence
from pathlib import Path

from sextant.bundles.store import SHIPPED_DIRECTORY
from sextant.cli.asking import pictures_of
from sextant.cli.contact_sheet import write_sheet
from sextant.client import Client
from sextant.contract.media import Image, Modality
from sextant.contract.tasks import TaskKind

_CAPTIONS = (
    "a happy person with long black hair in light blue clothes against purple",
    "a sad person with short blond hair and a beard wearing dark red clothes on a light green background",
    "somebody, smiling, with long green hair and sunglasses in navy blue clothes in front of something pink",
    "a gloomy face in front of something peach with short bright red hair wearing yellow clothes",
)
_OF_EACH = 4
_SEED = 7


def shipped_painters(client: Client) -> list[str]:
    """The hybrids of the package that are served and make pictures of words."""
    return [
        model.name
        for model in sorted(client.models(timeout=60.0), key=lambda model: model.name)
        if model.family == "hybrid"
        and TaskKind.GENERATE in model.tasks
        and Modality.TEXT in model.inputs
        and Modality.IMAGE in model.outputs
        and (SHIPPED_DIRECTORY / model.name).is_dir()
    ]


def faces_from_words(client: Client, painters: Sequence[str], out: Path) -> None:
    """A sheet from each: a row for each caption, the same seed for all. Prints the captions and how long it took."""
    for caption in _CAPTIONS:
        print(f"  {caption}")
    for model in painters:
        started = time.monotonic()
        made: list[Image] = []
        for caption in _CAPTIONS:
            stream = client.generate(
                caption, model=model, seed=_SEED, count=_OF_EACH, output=Modality.IMAGE, timeout=300.0
            )
            by_item = dict(pictures_of(stream))
            made += [by_item[item] for item in sorted(by_item)]
        write_sheet(out / f"{model}.png", made, _OF_EACH)
        print(f"  {out / model}.png: {len(made)} faces in {time.monotonic() - started:.1f} s", flush=True)
