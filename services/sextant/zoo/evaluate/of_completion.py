"""What models over codes of faces are judged by: faces of nothing, and faces whose lower half is made anew."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sextant.contract.media import Image
from sextant.contract.tasks import Task, TaskKind
from sextant.zoo.data import captions, faces
from sextant.zoo.evaluate import sheets
from sextant.zoo.evaluate.features import features, predict
from sextant.zoo.evaluate.figures import Figures
from sextant.zoo.evaluate.frechet import frechet_distance
from sextant.zoo.evaluate.judges import captions_judge, said_values
from sextant.zoo.evaluate.of_pictures import pictures
from sextant.zoo.evaluate.reconstruction import ssim
from sextant.zoo.evaluate.references import SEED, faces_reference
from sextant.zoo.evaluate.served import Served, pixels_of

_COMPLETED = 1_000
_DRAWN_SEED = 2
_SHOWN = 10
# What the upper half of a face shows.
_ABOVE = ("length", "hair", "background", "glasses")


def faces_of_codes(served: Served, figures: Figures, sheet: Path) -> None:
    """A model over codes: quality, diversity and speed; and what becomes of half a face."""
    reference = faces_reference()
    pictures(served, figures, sheet, reference)
    drawn = faces.load(2 * _COMPLETED, 64, _DRAWN_SEED)
    given = drawn.images[:_COMPLETED]
    made = completed(served, given)
    on = f"{_COMPLETED} faces drawn anew, their lower half made by the model"
    seen, said = predict(captions_judge(), made), said_values(drawn.values[:_COMPLETED])
    above = [captions.NAMES.index(name) for name in _ABOVE]
    figures.add("completed_attribute_accuracy", (seen == said)[:, above].mean(), "1", f"{on}, by {', '.join(_ABOVE)}")
    half = given.shape[1] // 2
    figures.add("completed_kept_ssim", ssim(made[:, :half], given[:, :half]).mean(), "1", f"{on}, the other half")
    fd = frechet_distance(features(reference.judge, made), reference.features)
    figures.add("completed_frechet_distance", fd, "1", f"{on}, features of a classifier trained on the data set")
    shown = np.concatenate([given[:_SHOWN], made[:_SHOWN]])
    sheets.beneath(sheet, sheets.grid(shown, _SHOWN)).save(sheet, optimize=True)


def completed(served: Served, given: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The faces uint8[n, h, w, 3] with their lower half made anew."""
    mask = np.zeros((*given.shape[1:3], 1), np.uint8)
    mask[given.shape[1] // 2 :] = 255
    tasks = (
        Task(TaskKind.TRANSFORM, SEED, index, source=Image(image), mask=Image(mask))
        for index, image in enumerate(given)
    )
    return np.stack([pixels_of(result) for result in served.results(tasks)])
