"""What diffusion models of pictures are judged by: quality by steps, obedience with guidance, and the bound."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sextant.contract.media import Image
from sextant.contract.tasks import Conditions, DiffusionParameters, Task, TaskKind
from sextant.zoo.data import fashion
from sextant.zoo.evaluate import sheets
from sextant.zoo.evaluate.conditional import conditional_accuracy
from sextant.zoo.evaluate.features import features, predict
from sextant.zoo.evaluate.figures import Figures
from sextant.zoo.evaluate.frechet import frechet_distance, normalised_quality
from sextant.zoo.evaluate.latency import WAYS
from sextant.zoo.evaluate.likelihood import bits_per_dimension
from sextant.zoo.evaluate.of_pictures import pictures
from sextant.zoo.evaluate.references import SEED, fashion_reference
from sextant.zoo.evaluate.served import Served

_COMPARED = 1_000  # pictures for each way of sampling
_SCORED = 200
_STRIP_STEPS = 10


def fashion_diffusion(served: Served, figures: Figures, sheet: Path) -> None:
    """Diffusion on Fashion-MNIST."""
    reference = fashion_reference()
    pictures(served, figures, sheet, reference)
    asked = np.arange(_COMPARED) % len(fashion.CLASSES)
    for sampler, steps in WAYS:
        given = DiffusionParameters(sampler=sampler, steps=steps)
        made = served.pictures(_COMPARED, SEED + 1, fashion.CLASSES, given)
        fd = frechet_distance(features(reference.judge, made), reference.features)
        on = f"{_COMPARED} pictures by {sampler} in {steps} steps, the usual guidance"
        name = f"{sampler}/{steps}"
        quality = normalised_quality(fd, reference.fd_real, reference.fd_gauss_diagonal)
        figures.add(f"{name}/quality", quality, "1", on)
        told = conditional_accuracy(asked, predict(reference.judge, made)).overall
        figures.add(f"{name}/conditional_accuracy", told, "1", on)
    images, _ = fashion.load("test")
    tasks = (Task(TaskKind.SCORE, SEED, index, source=Image(image)) for index, image in enumerate(images[:_SCORED]))
    bits = bits_per_dimension(served.nats(tasks), images[0].size)
    figures.add("elbo_bits_per_dimension", bits.value, "bit", f"{_SCORED} test pictures, bound by 20 noise levels")
    rows = [*_strips(served)]
    strip = sheets.grid(np.concatenate(rows), len(rows[0]), scale=2)
    sheets.beneath(sheet, strip).save(sheet, optimize=True)


def _strips(served: Served) -> Iterator[np.ndarray]:
    """What the network takes each of three pictures for, step by step."""
    given = DiffusionParameters(steps=_STRIP_STEPS, preview_every_steps=1)
    for label in ("Ankle boot", "Pullover", "Bag"):
        shown = served.previews(
            Task(TaskKind.GENERATE, SEED, conditions=Conditions(class_label=label), parameters=given)
        )
        yield np.stack([picture.pixels for picture in shown if isinstance(picture, Image)])
