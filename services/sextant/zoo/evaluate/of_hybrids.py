"""What hybrids that make faces of words are judged by: do the faces show what was asked for, in unseen combinations?"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from sextant.bundles.store import BundleStore
from sextant.contract.media import Image
from sextant.contract.tasks import Task, TaskKind
from sextant.zoo.data import captioned_faces, captions, faces
from sextant.zoo.data.captioned_faces import CaptionedFaces
from sextant.zoo.evaluate import sheets
from sextant.zoo.evaluate.attribute_accuracy import attribute_accuracy
from sextant.zoo.evaluate.features import predict
from sextant.zoo.evaluate.figures import Figures
from sextant.zoo.evaluate.judges import captions_judge, said_values
from sextant.zoo.evaluate.latency import add_latency
from sextant.zoo.evaluate.references import SEED
from sextant.zoo.evaluate.served import Served, pixels_of
from sextant.zoo.recipes.hybrids import latent_diffusion

CAPTIONS = 200
DRAWN, DRAWN_SEED = 5_000, 3  # one face in sixteen is of a combination that no training saw
_JUDGED, _JUDGED_SEED = 2_000, 2
_SHEET_CAPTIONS, _SHEET_SEEDS = 6, 6
_SHOWN = 10


def from_words(served: Served, figures: Figures, sheet: Path) -> None:
    """A model that makes faces of words."""
    asked = unseen()
    accuracy_of_judge(figures)
    add_accuracy(figures, asked, of_captions(served, asked.captions), "")
    add_latency(served, figures)
    the_same_for_all(served).save(sheet, optimize=True)


def ranked(served: Served, figures: Figures, sheet: Path) -> None:
    """The best of several faces, and what it is chosen from: one of them, whichever."""
    from_words(served, figures, sheet)
    asked = unseen()
    single = Served(BundleStore.default().open(latent_diffusion.HYBRID))
    candidates = served.manifest.graph["generate"]["choose"]["candidates"]
    # Candidate j of item i is drawn as item i * candidates + j: the first of each is what a single one would be.
    made = of_captions(single, asked.captions, stride=candidates)
    add_accuracy(figures, asked, made, "single_")


def varying(served: Served, figures: Figures, sheet: Path) -> None:
    """A model that also varies a given face: what of it is kept, beneath what it makes of words."""
    from_words(served, figures, sheet)
    given = unseen()
    tasks = (Task(TaskKind.TRANSFORM, SEED, index, source=Image(face)) for index, face in enumerate(given.images))
    made = np.stack([pixels_of(result) for result in served.results(tasks)])
    right = predict(captions_judge(), made) == given.said
    on = f"{len(made)} faces of combinations held out of training, and a variation of each"
    figures.add(
        "variation_attribute_accuracy", right.mean(), "1", f"{on}, the mean of {len(captions.NAMES)} attributes"
    )
    shown = np.concatenate([given.images[:_SHOWN], made[:_SHOWN]])
    sheets.beneath(sheet, sheets.grid(shown, _SHOWN, row_labels=("given", "varied"))).save(sheet, optimize=True)


@cache
def unseen() -> CaptionedFaces:
    """Faces and captions of combinations that are held out of every training."""
    drawn = captioned_faces.load(DRAWN, DRAWN_SEED, held_out=True)
    return CaptionedFaces(drawn.images[:CAPTIONS], drawn.captions[:CAPTIONS], drawn.said[:CAPTIONS])


def of_captions(served: Served, texts: Sequence[str], stride: int = 1) -> NDArray[np.uint8]:
    """A face of each caption, uint8[n, 64, 64, 3]; caption i as item i times `stride`."""
    tasks = (Task(TaskKind.GENERATE, SEED, index=i * stride, prompt=text) for i, text in enumerate(texts))
    return np.stack([pixels_of(result) for result in served.results(tasks)])


def add_accuracy(figures: Figures, asked: CaptionedFaces, made: NDArray[np.uint8], prefix: str) -> None:
    """The accuracy of what was made for the captions, attribute by attribute, and beside it that of shuffled ones."""
    found = attribute_accuracy(asked.said, predict(captions_judge(), made), captions.NAMES)
    on = f"{len(made)} faces of captions of combinations held out of training"
    figures.add(f"{prefix}attribute_accuracy", found.mean, "1", f"{on}, the mean of {len(captions.NAMES)} attributes")
    figures.add(f"{prefix}whole_caption_accuracy", found.whole, "1", f"{on}, right in every attribute")
    if prefix:
        return
    shuffled = f"{on}, each against the captions of the others"
    figures.add("shuffled_attribute_accuracy", found.shuffled, "1", shuffled)
    figures.add("shuffled_whole_caption_accuracy", found.shuffled_whole, "1", shuffled)
    for name, share in found.each.items():
        figures.add(f"{name}_accuracy", share, "1", on)


def accuracy_of_judge(figures: Figures) -> None:
    """How far the judge itself can be trusted: its accuracy on faces that it has not seen."""
    drawn = faces.load(_JUDGED, 64, _JUDGED_SEED)
    right = (predict(captions_judge(), drawn.images) == said_values(drawn.values)).mean(0)
    on = f"{_JUDGED} rendered faces that the judge has not seen"
    figures.add("captions_judge_accuracy", right.mean(), "1", f"{on}, the mean of {len(captions.NAMES)} attributes")
    worst = int(right.argmin())
    figures.add("captions_judge_accuracy_worst", right[worst], "1", f"{on}, {captions.NAMES[worst]}")


def the_same_for_all(served: Served) -> Pillow.Image:
    """A row for each of a few captions, a column for each seed; the same of every model."""
    texts = unseen().captions[:_SHEET_CAPTIONS]
    tasks = (Task(TaskKind.GENERATE, seed, prompt=text) for text in texts for seed in range(_SHEET_SEEDS))
    made = np.stack([pixels_of(result) for result in served.results(tasks)])
    return sheets.grid(
        made, _SHEET_SEEDS, row_labels=sheets.wrapped(texts), column_labels=[f"seed {n}" for n in range(_SHEET_SEEDS)]
    )
