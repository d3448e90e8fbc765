"""Phoneme errors and the rules that models of pronunciation are measured beside."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sextant.zoo.evaluate.letter_rules import said_by_rule
from sextant.zoo.evaluate.phoneme_errors import edit_distance, phoneme_errors

words = st.text(alphabet="abɹˈ", max_size=8)


@pytest.mark.parametrize(
    ("one", "other", "edits"), [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "abc", 0), ("ab", "ba", 2)]
)
def test_edit_distances_known_by_heart(one: str, other: str, edits: int) -> None:
    assert edit_distance(one, other) == edits


@given(one=words, other=words, third=words)
def test_edit_distance_is_a_metric(one: str, other: str, third: str) -> None:
    assert edit_distance(one, other) == edit_distance(other, one)
    assert (edit_distance(one, other) == 0) == (one == other)
    assert edit_distance(one, third) <= edit_distance(one, other) + edit_distance(other, third)


def test_errors_count_by_phonemes_and_by_words() -> None:
    errors = phoneme_errors(["hˈɛlO", "wˈɜɹld"], ["hˈɛlO", "wˈɜɹldz"])
    assert errors.error_rate == pytest.approx(1 / 12)
    assert errors.word_accuracy == 0.5


def test_marks_of_stress_count_only_where_they_are_asked_for() -> None:
    assert phoneme_errors(["əbˈWt"], ["ˌəbWt"]).error_rate == pytest.approx(2 / 5)
    assert phoneme_errors(["əbˈWt"], ["ˌəbWt"], stress=False).error_rate == 0


@pytest.mark.parametrize(
    ("word", "phonemes"),
    [
        ("knight", "nˈIt"),
        ("nation", "nˈAʃən"),
        ("matter", "mˈæɾəɹ"),
        ("table", "tˈAbᵊl"),
        ("judge", "ʤˈʌʤ"),
        ("walked", "wˈɔlkt"),
    ],
)
def test_regular_words_are_said_by_rule(word: str, phonemes: str) -> None:
    assert said_by_rule(word) == phonemes


@given(word=st.text(alphabet=string.ascii_lowercase + "'", max_size=12))
def test_rules_say_any_letters_with_one_stress_at_most(word: str) -> None:
    assert said_by_rule(word).count("ˈ") <= 1
