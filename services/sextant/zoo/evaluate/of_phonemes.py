"""What a model of pronunciation is judged by: errors on words that it never saw, beside rules of spelling."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from sextant.contract.media import Text
from sextant.contract.tasks import Task, TaskKind, TextParameters
from sextant.zoo.data.location import DataMissing
from sextant.zoo.data.phonemes import Pronunciation, lexicon
from sextant.zoo.evaluate.figures import Figures
from sextant.zoo.evaluate.latency import add_latency
from sextant.zoo.evaluate.letter_rules import said_by_rule
from sextant.zoo.evaluate.phoneme_errors import phoneme_errors
from sextant.zoo.evaluate.references import SEED
from sextant.zoo.evaluate.served import Served

_BEAMS = 4
_SHOWN = 12
_LINE, _COLUMNS = 22, (8, 160, 330, 500)  # pixels


def us_phonemes(served: Served, figures: Figures, sheet: Path) -> None:
    """The held-out words of the US lexicon."""
    words = lexicon("test")
    greedy, searched = (_said(served, words, beams) for beams in (1, _BEAMS))
    by_rule = [said_by_rule(word.word) for word in words]
    truth = [word.phonemes for word in words]
    count = f"{len(words)} held-out words drawn at random"
    for name, said, how in (
        ("", greedy, "greedy"),
        ("beam_", searched, f"{_BEAMS} beams"),
        ("rule_", by_rule, "spelling rules of our own, no lexicon"),
    ):
        for suffix, stress in (("", True), ("_unstressed", False)):
            errors = phoneme_errors(said, truth, stress=stress)
            on = f"{count}; {how}" + ("" if stress else "; marks of stress left out")
            figures.add(f"{name}phoneme_error_rate{suffix}", errors.error_rate, "1", on)
            figures.add(f"{name}word_accuracy{suffix}", errors.word_accuracy, "1", on)
    tasks = (
        Task(TaskKind.SCORE, SEED, index, source=Text(word.phonemes), context=word.word)
        for index, word in enumerate(words)
    )
    figures.add("log_likelihood", float(np.mean(served.nats(tasks))), "nat", f"{count}; a word's phonemes, exact")
    add_latency(served, figures)
    _sheet(words, greedy, by_rule).save(sheet, optimize=True)


def _said(served: Served, words: Sequence[Pronunciation], beams: int) -> list[str]:
    parameters = TextParameters(beams=beams, temperature=0.0)
    results = served.results(
        Task(TaskKind.GENERATE, SEED, index, prompt=word.word, parameters=parameters)
        for index, word in enumerate(words)
    )
    return [result.content.content for result in results if isinstance(result.content, Text)]


def _sheet(words: Sequence[Pronunciation], said: Sequence[str], by_rule: Sequence[str]) -> Pillow.Image:
    """A few words drawn at random, as they are said: in the lexicon, by the model, and by rule."""
    rows = [("word", "lexicon", "model", "rules")]
    for index in np.random.default_rng(SEED).permutation(len(words))[:_SHOWN]:
        rows.append((words[index].word, words[index].phonemes, said[index], by_rule[index]))
    picture = Pillow.new("RGB", (_COLUMNS[-1] + 170, _LINE * len(rows) + 8), "white")
    drawing, font = ImageDraw.Draw(picture), _font()
    for line, row in enumerate(rows):
        for column, text in zip(_COLUMNS, row, strict=True):
            wrong = line > 0 and column in _COLUMNS[2:] and text != row[1]
            drawing.text((column, 6 + _LINE * line), text, fill=(170, 40, 40) if wrong else "black", font=font)
    return picture


def _font() -> ImageFont.FreeTypeFont:
    """One with phonetic letters, which pillow's own has not."""
    try:
        return ImageFont.truetype("DejaVuSans.ttf", 14)
    except OSError as error:
        raise DataMissing("there is no DejaVuSans.ttf; Debian's fonts-dejavu-core brings it") from error
