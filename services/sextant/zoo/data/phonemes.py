"""Words and how they are said: the US lexicon of the speech package hibari-tts (Apache-2.0), 86,000 words.

`pip download --no-deps hibari-tts==0.2.1` into the directory that `sextant zoo where` prints brings it. Phonemes are
its own letters, IPA but for the diphthongs A (face), I (price), O (goat), W (mouth) and Y (choice), with the marks of
primary and secondary stress before the vowel.
"""

import gzip
import json
import re
import zipfile
from dataclasses import dataclass
from functools import cache

import numpy as np

from sextant.zoo.data.location import DataMissing, zoo_directory

PROVENANCE = "Trained on the US lexicon of hibari-tts 0.2.1 (Apache-2.0) by the recipe of this name."
LONGEST = 20  # letters
_FILE = "hibari/assets/lexicon_us_gold.json.gz"
_HOW = "Get it with `pip download --no-deps hibari-tts==0.2.1` in that directory."
_HELD_OUT = 5_000
_WORD = re.compile(r"[A-Z]?[a-z']+")


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """`phonemes` are those of the word by itself, where they depend on its part of speech."""

    word: str
    phonemes: str


@cache
def lexicon(split: str) -> tuple[Pronunciation, ...]:
    """Those of "train", or the 5,000 of "test", drawn at random: other forms of their words may be in the training.

    Words of letters and apostrophes, at most the first a capital. Raises `DataMissing`.
    """
    directory = zoo_directory()
    wheels = sorted(directory.glob("hibari_tts-*.whl"))
    if not wheels:
        raise DataMissing(f"{directory} holds no wheel of hibari-tts. {_HOW}")
    with zipfile.ZipFile(wheels[-1]) as wheel:
        entries = json.loads(gzip.decompress(wheel.read(_FILE)))
    said = {
        word: entry if isinstance(entry, str) else entry["DEFAULT"]
        for word, entry in entries.items()
        if len(word) <= LONGEST and _WORD.fullmatch(word)
    }
    # One spelling of each word, so that none is learnt by its capital and asked without.
    lower = {word.lower(): phonemes for word, phonemes in reversed(said.items()) if phonemes}
    words = [Pronunciation(word, lower[word]) for word in sorted(lower)]
    held_out = set(np.random.default_rng(0).permutation(len(words))[:_HELD_OUT].tolist())
    return tuple(word for index, word in enumerate(words) if (index in held_out) == (split == "test"))
