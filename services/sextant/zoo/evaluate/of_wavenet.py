"""What models of spoken digits are judged by: exact likelihoods, and whether a judge understands what they say."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sextant.contract.media import Audio
from sextant.contract.tasks import Conditions, Task, TaskKind
from sextant.zoo.data import digits
from sextant.zoo.evaluate import sheets
from sextant.zoo.evaluate.features import predict
from sextant.zoo.evaluate.figures import Figures
from sextant.zoo.evaluate.judges import digits_judge
from sextant.zoo.evaluate.latency import add_latency
from sextant.zoo.evaluate.likelihood import bits_per_dimension
from sextant.zoo.evaluate.references import SEED
from sextant.zoo.evaluate.served import Served
from sextant.zoo.evaluate.spectrograms import spectrograms

_HELD_OUT, _HELD_OUT_SEED = 600, 2
_SCORED = 60
_MADE = 300
_SILENT = 0.01  # root mean square
_CLIPPED = 0.99


def spoken_digits(served: Served, figures: Figures, sheet: Path) -> None:
    """WaveNet on spoken digits."""
    real = digits.spoken(_HELD_OUT, _HELD_OUT_SEED)
    judge = digits_judge()
    understood = predict(judge, spectrograms(real.samples)) == real.label
    figures.add("judge_accuracy", float(understood.mean()), "1", f"{_HELD_OUT} held-out real digits, the judge's own")
    asked = np.arange(_MADE) % len(digits.CLASSES)
    voices = np.arange(_MADE) // len(digits.CLASSES) % len(digits.VOICES)
    made = _said(served, asked, voices)
    told = predict(judge, spectrograms(made)) == asked
    figures.add("recognised", float(told.mean()), "1", f"{_MADE} digits made, the judge of real ones")
    for index, voice in enumerate(digits.VOICES):
        figures.add(f"recognised/{voice}", float(told[voices == index].mean()), "1", "of those, in this voice")
    loudness = np.sqrt((made**2).mean(1))
    figures.add("silent", float((loudness < _SILENT).mean()), "1", f"share of them whose RMS is below {_SILENT}")
    figures.add("clipped", float((np.abs(made) > _CLIPPED).mean()), "1", f"share of samples beyond {_CLIPPED}")
    tasks = (
        Task(TaskKind.SCORE, SEED, n, source=_audio(real.samples[n]), conditions=_asked(real.label[n], real.voice[n]))
        for n in range(_SCORED)
    )
    bits = bits_per_dimension(served.nats(tasks), digits.SAMPLES)
    figures.add("bits_per_sample", bits.value, "bit", f"{_SCORED} held-out digits, exact, a sample in mu-law")
    add_latency(served, figures)
    rows = np.concatenate([spectrograms(real.samples[:10]), spectrograms(made[:10])])
    labels = ("real", "made")
    sheets.grid(rows, 10, scale=1, row_labels=labels, column_labels=digits.CLASSES).save(sheet, optimize=True)


def _said(served: Served, label: NDArray[np.int64], voice: NDArray[np.int64]) -> NDArray[np.float32]:
    """float32[n, samples]."""
    tasks = (
        Task(TaskKind.GENERATE, SEED, index, conditions=_asked(digit, which))
        for index, (digit, which) in enumerate(zip(label, voice, strict=True))
    )
    made = []
    for result in served.results(tasks):
        assert isinstance(result.content, Audio)
        made.append(result.content.samples[:, 0])
    return np.stack(made)


def _asked(digit: int, voice: int) -> Conditions:
    return Conditions(class_label=digits.CLASSES[digit], attributes={"voice": digits.VOICES[voice]})


def _audio(samples: NDArray[np.float32]) -> Audio:
    return Audio(samples[:, None], digits.RATE_HZ)
