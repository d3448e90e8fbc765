"""What image towers to a sentence encoder are judged by: does a caption find its picture, and a picture its caption?"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sextant.bundles.store import BundleStore
from sextant.contract.media import Text
from sextant.contract.tasks import Task, TaskKind
from sextant.zoo.data import captioned_faces
from sextant.zoo.data.captioned_faces import SENTENCE_MODEL, SENTENCE_SPACE, CaptionedFaces
from sextant.zoo.evaluate import sheets
from sextant.zoo.evaluate.figures import Figures
from sextant.zoo.evaluate.of_hybrids import DRAWN, DRAWN_SEED, unseen
from sextant.zoo.evaluate.retrieval import recall_at_1
from sextant.zoo.evaluate.served import Served, latent_of

_PAIRS = 100
_SHOWN = 6


def tower(served: Served, figures: Figures, sheet: Path) -> None:
    """An image tower, on pairs that it was not trained on; and on such whose combinations no training saw."""
    encoder = Served(BundleStore.default().open(SENTENCE_MODEL))
    kinds = {"": captioned_faces.load(DRAWN, DRAWN_SEED), "unseen_": unseen()}
    about_pairs = {"": "held-out pairs", "unseen_": "held-out pairs, all of combinations held out of training"}
    for prefix, pairs in kinds.items():
        pictures = served.codes(pairs.images[:_PAIRS])
        texts = sentences(encoder, pairs)
        alike = _PAIRS - len(np.unique(pairs.said[:_PAIRS], axis=0))
        on = f"{_PAIRS} {about_pairs[prefix]}, {alike} of which say the same as another"
        figures.add(f"{prefix}text_to_image_recall_at_1", recall_at_1(texts, pictures), "1", on)
        figures.add(f"{prefix}image_to_text_recall_at_1", recall_at_1(pictures, texts), "1", on)
    pairs = kinds[""]
    pictures, texts = served.codes(pairs.images[:_PAIRS]), sentences(encoder, pairs)
    nearest = (texts[:_SHOWN] @ pictures.T).argsort(1)[:, ::-1][:, :_SHOWN]
    shown = pairs.images[nearest.ravel()]
    columns = ["nearest", *(f"{place}." for place in range(2, _SHOWN + 1))]
    sheets.grid(shown, _SHOWN, row_labels=sheets.wrapped(pairs.captions[:_SHOWN]), column_labels=columns).save(
        sheet, optimize=True
    )


def sentences(encoder: Served, pairs: CaptionedFaces) -> NDArray[np.float64]:
    """Where the encoder has the captions of the first pairs, float[n, d]."""
    texts = pairs.captions[:_PAIRS]
    tasks = (Task(TaskKind.ENCODE, 0, index=i, source=Text(text), space=SENTENCE_SPACE) for i, text in enumerate(texts))
    return np.stack([latent_of(result).mean for result in encoder.results(tasks)])
