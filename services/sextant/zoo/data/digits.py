"""Spoken digits at 8 kHz, made with a small speech synthesiser: the model and voice "heart" of hibari-tts (Apache-2.0).

`pip download --no-deps hibari-tts==0.2.1` into the directory that `sextant zoo where` prints brings it. It has one
voice; "low" and "high" are that voice played slower and faster, pitch and formants with it, at about the same pace.
"""

import sys
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sextant.families.autoregressive.mu_law import to_levels, to_samples
from sextant.zoo.data.location import DataMissing, zoo_directory

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
CLASSES = tuple(str(digit) for digit in range(len(WORDS)))
VOICES = ("heart", "low", "high")
RATE_HZ = 8_000
SAMPLES = 4_800  # 0.6 s
PROVENANCE = "Trained on digits spoken by the synthesiser hibari-tts 0.2.1 (Apache-2.0) by the recipe of this name."

_HOW = "Get it with `pip download --no-deps hibari-tts==0.2.1` in that directory."
_FACTOR = {"heart": 1.0, "low": 0.78, "high": 1.2}
_MARKS = (".", "!", "?", ",", "")
_LOUDEST = 0.8
_QUIET = 0.02  # of the loudest: what counts as silence at the ends
_LONGEST_PAUSE = 400  # samples before the word


@dataclass(frozen=True, slots=True)
class Digits:
    """levels uint8[n, 4800] in mu-law, label and voice int64[n]."""

    levels: NDArray[np.uint8]
    label: NDArray[np.int64]
    voice: NDArray[np.int64]

    @property
    def samples(self) -> NDArray[np.float32]:
        """float32[n, 4800] in [-1, 1]."""
        return to_samples(self.levels)


def spoken(count: int, seed: int) -> Digits:
    """`count` digits, every one in every voice in turn; made at the first call and kept. Raises `DataMissing`."""
    kept = zoo_directory() / f"digits-{count}-{seed}.npz"
    if not kept.exists():
        speak, rng = _synthesiser(), np.random.default_rng(seed)
        label, voice = np.arange(count) % len(CLASSES), np.arange(count) // len(CLASSES) % len(VOICES)
        levels = np.stack([to_levels(_one(speak, int(d), VOICES[v], rng)) for d, v in zip(label, voice, strict=True)])
        np.savez_compressed(kept, levels=levels, label=label, voice=voice)
    with np.load(kept) as saved:
        return Digits(saved["levels"], saved["label"].astype(np.int64), saved["voice"].astype(np.int64))


def _one(speak: Any, digit: int, voice: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """One word, float64[4800]; its pace, pitch, loudness and where it starts vary."""
    factor = _FACTOR[voice] * rng.uniform(0.95, 1.05)
    text = WORDS[digit] + _MARKS[rng.integers(len(_MARKS))]
    wave = speak(text, speed=float(rng.uniform(0.9, 1.3) / factor), seed=int(rng.integers(2**31)))
    wave = _resampled(np.asarray(wave, np.float64), RATE_HZ / (speak.sample_rate * factor))
    loud = np.flatnonzero(np.abs(wave) > _QUIET * np.abs(wave).max())
    wave = wave[loud[0] : loud[-1] + 1]
    wave = wave * (_LOUDEST * rng.uniform(0.7, 1.0) / np.abs(wave).max())
    start = int(rng.integers(100, _LONGEST_PAUSE))
    word = wave[: SAMPLES - start]
    placed = np.zeros(SAMPLES)
    placed[start : start + len(word)] = word
    return placed


def _resampled(wave: NDArray[np.float64], ratio: float) -> NDArray[np.float64]:
    """Played at `ratio` times as many samples, by cutting or padding its spectrum."""
    wanted = round(len(wave) * ratio)
    spectrum = np.fft.rfft(wave)[: wanted // 2 + 1]
    resampled: NDArray[np.float64] = np.fft.irfft(spectrum, wanted) * ratio
    return resampled


def _synthesiser() -> Any:
    """hibari, out of its wheel: installed, it would bring a second onnxruntime."""
    directory = zoo_directory()
    wheels = sorted(directory.glob("hibari_tts-*.whl"))
    if not wheels:
        raise DataMissing(f"{directory} holds no wheel of hibari-tts. {_HOW}")
    unpacked = directory / wheels[-1].stem
    if not unpacked.exists():
        with zipfile.ZipFile(wheels[-1]) as wheel:
            wheel.extractall(unpacked)
    sys.path.insert(0, str(unpacked))
    try:
        from hibari import Hibari
    finally:
        sys.path.remove(str(unpacked))
    return Hibari()
