"""What a model of chorales is judged by: how near its notes' statistics are to chorales that it never saw."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sextant.contract.media import Music
from sextant.contract.tasks import Conditions, Task, TaskKind
from sextant.families.diffusion.midi import notes_of, read_midi, to_midi
from sextant.families.diffusion.piano_roll import HIGHEST, LOWEST, VOICES, Score
from sextant.zoo.data.chorales import Chorale, chorales, windows
from sextant.zoo.evaluate import sheets
from sextant.zoo.evaluate.figures import Figures
from sextant.zoo.evaluate.latency import add_latency
from sextant.zoo.evaluate.markov_chorales import ChordChain, VoiceChains
from sextant.zoo.evaluate.music_statistics import Statistics, distances, statistics
from sextant.zoo.evaluate.references import SEED
from sextant.zoo.evaluate.served import Served

_COLOURS = ((193, 39, 45), (214, 137, 16), (30, 132, 73), (31, 97, 141))


def bach(served: Served, figures: Figures, sheet: Path) -> None:
    """Chorales from noise in the keys of held-out ones, and harmonisations of their melodies."""
    length = served.manifest.network["sixteenths"]
    held_out, learnt = list(windows(chorales("test"), length)), chorales("train")
    real = statistics([score for _, score in held_out])
    made = _composed(served, held_out)
    count = f"{len(made)} pieces in the keys of {len(held_out)} stretches of 40 held-out chorales"
    _distances(figures, "", statistics(made), real, count)
    rng = np.random.default_rng(SEED)
    for name, chain in (
        ("markov", VoiceChains([piece.score for piece in learnt])),
        ("chord_markov", ChordChain([piece.score for piece in learnt])),
    ):
        drawn = [chain.drawn(length, rng) for _ in made]
        what = "a first-order chain of notes for each voice" if name == "markov" else "a first-order chain of chords"
        _distances(figures, f"{name}_", statistics(drawn), real, f"{len(drawn)} pieces of {what}, of the same training")
    _distances(
        figures,
        "training_",
        statistics([score for _, score in windows(learnt, length)]),
        real,
        "the chorales of the training",
    )
    harmonised = _harmonised(served, held_out)
    _distances(figures, "harmonised_", statistics(harmonised), real, "melodies of the held-out stretches, set anew")
    figures.add("copied", _copied(made, learnt), "1", f"{count}; share of their bars that some training chorale has")
    add_latency(served, figures)
    rolls = np.stack([_picture(score) for score in (made[0], harmonised[0], held_out[0][1])])
    labels = ("composed", "melody set", "by Bach")
    sheets.grid(rolls, 1, scale=2, row_labels=labels).save(sheet, optimize=True)


def _composed(served: Served, held_out: Sequence[tuple[Chorale, Score]]) -> list[Score]:
    return _scores(
        served,
        (
            Task(TaskKind.GENERATE, SEED, index, conditions=Conditions(class_label=str(piece.key)))
            for index, (piece, _) in enumerate(held_out)
        ),
    )


def _harmonised(served: Served, held_out: Sequence[tuple[Chorale, Score]]) -> list[Score]:
    tasks = (
        Task(
            TaskKind.TRANSFORM,
            SEED,
            index,
            source=to_midi(score, 84),
            conditions=Conditions(class_label=str(piece.key), attributes={"keep": "soprano"}),
        )
        for index, (piece, score) in enumerate(held_out)
        if (score.pitch > 0).any(1).all()
    )
    return _scores(served, tasks)


def _scores(served: Served, tasks: Iterable[Task]) -> list[Score]:
    length = served.manifest.network["sixteenths"]
    found = []
    for result in served.results(tasks):
        assert isinstance(result.content, Music)
        found.append(read_midi(result.content, length, "made"))
    return found


def _distances(figures: Figures, name: str, made: Statistics, real: Statistics, on: str) -> None:
    found = distances(made, real)
    for kind, value in (
        ("pitch_class", found.pitch_class),
        ("melodic_interval", found.melodic),
        ("harmonic_interval", found.harmonic),
        ("music", found.mean),
    ):
        figures.add(f"{name}{kind}_distance", value, "1", f"total variation from held-out chorales; {on}")


def _copied(made: Sequence[Score], learnt: Sequence[Chorale]) -> float:
    """The share of bars, of all voices together and with notes in all, that are in the training note for note."""
    known = {bar for piece in learnt for shift in range(-3, 4) for bar in _bars(piece.score.transposed(shift))}
    bars = [bar for score in made for bar in _bars(score)]
    return float(np.mean([bar in known for bar in bars]))


def _bars(score: Score) -> list[bytes]:
    starts = range(0, score.length, 16)
    cut = [(score.pitch[:, at : at + 16], score.onset[:, at : at + 16]) for at in starts]
    return [pitch.tobytes() + onset.tobytes() for pitch, onset in cut if (pitch > 0).any(1).all()]


def _picture(score: Score) -> NDArray[np.uint8]:
    """The piano roll as a picture uint8[h, w, 3], a voice a colour, low notes below."""
    tall, wide = 2 * (HIGHEST - LOWEST + 1), 4 * score.length
    picture = np.full((tall, wide, 3), 255, np.uint8)
    picture[:, ::64] = 225
    for voice in range(len(VOICES)):
        for pitch, first, until in notes_of(score.pitch[voice], score.onset[voice]):
            low = 2 * (HIGHEST - pitch)
            picture[low : low + 2, 4 * first : 4 * until - 1] = _COLOURS[voice]
    return picture
