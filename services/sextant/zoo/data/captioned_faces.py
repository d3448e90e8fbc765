"""Faces with captions, as trainings read them: pictures, and the captions' tokens as the sentence encoder has them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sextant.bundles.store import BundleStore
from sextant.contract.media import Text
from sextant.contract.tasks import Task, TaskKind
from sextant.zoo.data import captions, faces
from sextant.zoo.data.location import zoo_directory
from sextant.zoo.evaluate.served import Served, latent_of

SENTENCE_MODEL = "minilm-l6-v2"
TOKENS, WIDTH = 40, 384
TOKEN_SPACE, SENTENCE_SPACE = f"{SENTENCE_MODEL}/tokens", f"{SENTENCE_MODEL}/sentence"
PROVENANCE = (
    'Trained on faces drawn with DiceBear\'s "pixel-art" style (CC0), with captions from their attributes as '
    "all-MiniLM-L6-v2 (Apache-2.0) reads them, by the recipe of this name."
)


@dataclass(frozen=True, slots=True)
class CaptionedFaces:
    """Pictures uint8[n, 64, 64, 3], captions, and what is said in each, int64[n, 7]."""

    images: NDArray[np.uint8]
    captions: tuple[str, ...]
    said: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Words:
    """Captions as the encoder has them: states float16[n, TOKENS, WIDTH] with zeros behind, and lengths int64[n]."""

    states: NDArray[np.float16]
    lengths: NDArray[np.int64]


def load(count: int, seed: int, *, held_out: bool = False, size: int = 64) -> CaptionedFaces:
    """`count` faces, or fewer: those whose combinations are held out, or all the others. Raises `DataMissing`."""
    drawn = faces.load(count, size, seed)
    said = [captions.said_of(values) for values in drawn.values]
    rng = np.random.default_rng(seed)
    texts = [captions.caption(one, rng) for one in said]
    kept = [place for place, one in enumerate(said) if one.is_held_out is held_out]
    return CaptionedFaces(
        drawn.images[kept],
        tuple(texts[place] for place in kept),
        np.array([said[place].values for place in kept], np.int64),
    )


def words(name: str, texts: tuple[str, ...]) -> Words:
    """The captions' states, kept on disk under `name`. Raises `ModelNotFound` where the encoder is not pulled."""
    kept = zoo_directory() / f"words-{name}.npz"
    if kept.exists():
        with np.load(kept) as saved:
            return Words(saved["states"], saved["lengths"])
    encoder = Served(BundleStore.default().open(SENTENCE_MODEL))
    tasks = (Task(TaskKind.ENCODE, 0, source=Text(text), space=TOKEN_SPACE) for text in texts)
    states = np.zeros((len(texts), TOKENS, WIDTH), np.float16)
    lengths = np.empty(len(texts), np.int64)
    for row, result in enumerate(encoder.results(tasks)):
        mean = latent_of(result).mean
        lengths[row] = len(mean)
        states[row, : lengths[row]] = mean
    partial = kept.with_suffix(".part.npz")
    np.savez(partial, states=states, lengths=lengths)
    partial.rename(kept)
    return Words(states, lengths)


def sentences(name: str, texts: tuple[str, ...]) -> NDArray[np.float32]:
    """The captions as one vector each, float32[n, WIDTH], kept on disk under `name`. Raises `ModelNotFound`."""
    kept = zoo_directory() / f"sentences-{name}.npy"
    if kept.exists():
        saved: NDArray[np.float32] = np.load(kept)
        return saved
    encoder = Served(BundleStore.default().open(SENTENCE_MODEL))
    tasks = (Task(TaskKind.ENCODE, 0, source=Text(text), space=SENTENCE_SPACE) for text in texts)
    vectors = np.stack([latent_of(result).mean for result in encoder.results(tasks)]).astype(np.float32)
    partial = kept.with_suffix(".part.npy")
    np.save(partial, vectors)
    partial.rename(kept)
    return vectors
