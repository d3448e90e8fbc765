"""The networks in whose features samples are compared: one for each data set, trained here once and kept."""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from sextant.zoo.data import captions, digits, emoji, faces, fashion
from sextant.zoo.data.location import zoo_directory
from sextant.zoo.evaluate.features import FeatureNet, load, save, train_attribute_classifier, train_classifier
from sextant.zoo.evaluate.spectrograms import spectrograms

FACES_TRAINED_ON = 20_000
DIGITS_TRAINED_ON = 3_000
_NOISE = 12.0  # the most, as a standard deviation of pixels, on faces that are not clear


@cache
def fashion_judge() -> FeatureNet:
    """Tells the ten classes of Fashion-MNIST apart."""
    images, labels = fashion.load("train")
    return _kept("fashion", lambda tell: train_classifier(images, labels, progress=tell))


@cache
def faces_judge() -> FeatureNet:
    """Tells the value of every attribute of a rendered face."""
    drawn = faces.load(FACES_TRAINED_ON, 64, 0)
    heads = {name: len(options) for name, options in drawn.attributes.items()}
    return _kept(
        "faces",
        # Neither moved nor mirrored: faces always stand in the same place.
        lambda tell: train_attribute_classifier(
            drawn.images, drawn.values, heads, epochs=3, shift=0, flip=False, progress=tell
        ),
    )


@cache
def captions_judge() -> FeatureNet:
    """Tells what captions say of a rendered face, also of one that is a little blurred or noisy.

    Every combination is among what it is trained on: what models have not seen, it has.
    """
    drawn = faces.load(FACES_TRAINED_ON, 64, 0)
    said = said_values(drawn.values)
    heads = dict(zip(captions.NAMES, captions.COUNTS, strict=True))
    pictures = drawn.images.copy()
    pictures[::2] = unclear(pictures[::2], seed=0)
    return _kept(
        "captions",
        lambda tell: train_attribute_classifier(pictures, said, heads, epochs=3, shift=0, flip=False, progress=tell),
    )


def said_values(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """What captions say of faces with these values of their attributes, int64[n, 7]."""
    return np.array([captions.said_of(one).values for one in values], np.int64)


def unclear(images: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """The pictures uint8[n, h, w, c], every other one blurred a little, and each with noise of its own level."""
    rng = np.random.default_rng(seed)
    found = np.empty_like(images)
    for number, image in enumerate(images):
        seen = image.astype(np.float32)
        if number % 2:
            rows = (np.roll(seen, 1, 0) + 2 * seen + np.roll(seen, -1, 0)) / 4
            seen = (np.roll(rows, 1, 1) + 2 * rows + np.roll(rows, -1, 1)) / 4
        seen += rng.uniform(0, _NOISE) * rng.standard_normal(seen.shape, np.float32)
        found[number] = seen.round().clip(0, 255)
    return found


@cache
def emoji_judge() -> FeatureNet:
    """Tells what kind of thing an emoji shows and in which style: trained on those that are not held out.

    Both, because a translation must keep the one and change the other; features that know kinds alone are made to
    be blind to style.
    """
    pairs = emoji.load(held_out=False)
    kinds = emoji.kinds(pairs.names)
    images: NDArray[np.uint8] = np.concatenate([pairs.noto, pairs.fluent])
    return _kept(
        "emoji",
        lambda tell: train_attribute_classifier(
            images, emoji_values(kinds), {"kind": int(kinds.max()) + 1, "style": 2}, epochs=8, progress=tell
        ),
    )


@cache
def digits_judge() -> FeatureNet:
    """Tells spoken digits apart by their spectrograms, also through noise of 10 to 40 dB less."""
    said = digits.spoken(DIGITS_TRAINED_ON, seed=0)
    rng = np.random.default_rng(0)
    level = np.sqrt((said.samples**2).mean(1)) * 10 ** (-rng.uniform(10, 40, DIGITS_TRAINED_ON) / 20)
    noisy = said.samples + level[:, None] * rng.standard_normal(said.samples.shape)
    pictures = np.concatenate([spectrograms(said.samples), spectrograms(noisy)])
    labels = np.tile(said.label, 2)
    # Moved a little in time and pitch, never mirrored.
    return _kept("digits", lambda tell: train_classifier(pictures, labels, epochs=6, flip=False, progress=tell))


def emoji_values(kinds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Kind and style, int64[2 n, 2], of n Noto emoji and then the same n in Fluent style."""
    styles = np.repeat([0, 1], len(kinds))
    return np.stack([np.tile(kinds, 2), styles], axis=1)


def _kept(name: str, train: Callable[[Callable[[int, int, float], None]], FeatureNet]) -> FeatureNet:
    """The judge from disk, or trained now and put there."""
    path = zoo_directory() / "judges" / f"{name}.safetensors"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with Progress(transient=True) as bar:
            shown = bar.add_task(f"training the judge of {name}")
            judge = train(lambda done, total, _: bar.update(shown, completed=done, total=total))
        save(judge, path)
    return load(path)
