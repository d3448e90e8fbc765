"""Whether pictures show what was asked for, and what that would be by chance."""

import numpy as np
import pytest

from sextant.zoo.evaluate.attribute_accuracy import attribute_accuracy

NAMES = ("hair", "mood")


def values(count: int = 400) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack([rng.integers(8, size=count), rng.integers(2, size=count)], axis=1)


def test_pictures_that_show_all_that_was_said_score_one_and_shuffled_captions_chance():
    said = values()
    found = attribute_accuracy(said, said, NAMES)
    assert found.mean == found.whole == 1.0
    assert found.each == {"hair": 1.0, "mood": 1.0}
    assert found.shuffled == pytest.approx((1 / 8 + 1 / 2) / 2, abs=0.02)
    assert found.shuffled_whole == pytest.approx(1 / 16, abs=0.02)


def test_pictures_that_heed_no_words_score_what_shuffled_captions_score():
    said = values()
    found = attribute_accuracy(said, values(800)[400:], NAMES)
    assert found.mean == pytest.approx(found.shuffled, abs=0.05)


def test_each_attribute_is_told_apart():
    said = values()
    seen = said.copy()
    seen[:, 1] = 1 - seen[:, 1]
    found = attribute_accuracy(said, seen, NAMES)
    assert found.each == {"hair": 1.0, "mood": 0.0}
    assert (found.mean, found.whole) == (0.5, 0.0)


@pytest.mark.parametrize("shape", [(1, 2), (4, 3)])
def test_a_lone_picture_and_other_attributes_are_refused(shape):
    with pytest.raises(ValueError, match="said and seen"):
        attribute_accuracy(np.zeros(shape, np.int64), np.zeros(shape, np.int64), NAMES)
