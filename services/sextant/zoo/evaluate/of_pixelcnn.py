"""What PixelCNNs are judged by: exact likelihoods, the quality of samples, and completions to look at."""

from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from sextant.contract.media import Image
from sextant.contract.tasks import Task, TaskKind
from sextant.zoo.data import fashion
from sextant.zoo.evaluate import sheets
from sextant.zoo.evaluate.figures import Figures
from sextant.zoo.evaluate.likelihood import bits_per_dimension
from sextant.zoo.evaluate.of_pictures import pictures
from sextant.zoo.evaluate.references import SEED, fashion_reference
from sextant.zoo.evaluate.served import Served, about, pixels_of

_SCORED = 2_000
_COMPLETED = 10


def fashion_pixelcnn(served: Served, figures: Figures, sheet: Path) -> None:
    """PixelCNN on Fashion-MNIST."""
    pictures(served, figures, sheet, fashion_reference())
    images, _ = fashion.load("test")
    nats = served.nats(about(TaskKind.SCORE, map(Image, images[:_SCORED])))
    bits = bits_per_dimension(nats, images[0].size)
    figures.add("bits_per_dimension", bits.value, "bit", f"{_SCORED} test pictures, exact, over all classes")
    halved = images[:_COMPLETED].copy()
    halved[:, 14:] = 0
    mask = Image(np.repeat(np.array([0] * 14 + [255] * 14, np.uint8), 28).reshape(28, 28, 1))
    tasks = [Task(TaskKind.TRANSFORM, SEED, n, source=Image(half), mask=mask) for n, half in enumerate(halved)]
    completed = np.stack([pixels_of(result) for result in served.results(tasks)])
    rows = np.concatenate([images[:_COMPLETED], halved, completed])
    below = sheets.grid(rows, _COMPLETED, scale=2)
    above = Pillow.open(sheet)
    joined = Pillow.new("RGB", (max(above.width, below.width), above.height + below.height), "white")
    joined.paste(above, (0, 0))
    joined.paste(below, (0, above.height))
    joined.save(sheet, optimize=True)
