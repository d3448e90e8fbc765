"""Beam search, against looking at everything there is."""

from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sextant.families.transformer.beams import BeamSearch

VOCAB, END, MOST = 4, 0, 3


def logits_after(tokens: tuple[int, ...], seed: int) -> NDArray[np.float32]:
    """What a model says after `tokens`: anything, but always the same."""
    rng = np.random.default_rng([seed, len(tokens), *tokens])
    return (3 * rng.standard_normal(VOCAB)).astype(np.float32)


def nats_of(tokens: tuple[int, ...], seed: int) -> float:
    total = 0.0
    for place, token in enumerate(tokens):
        logits = logits_after(tokens[:place], seed).astype(np.float64)
        total += logits[token] - np.log(np.exp(logits).sum())
    return float(total)


def searched(width: int, seed: int, most: int = MOST, end: frozenset[int] = frozenset({END})) -> BeamSearch:
    search = BeamSearch(width, end, most)
    while not search.done:
        before = search.writing
        rows = search.advance(np.stack([logits_after(hypothesis.tokens, seed) for hypothesis in before]))
        # The rows say on whose memory each goes on, and those that go on are the text so far and one token more.
        assert len(rows) == len(search.writing) <= width
        assert all(now.tokens[:-1] == before[row].tokens for row, now in zip(rows, search.writing, strict=True))
    return search


@given(seed=st.integers(0, 10_000))
def test_beams_enough_for_all_texts_find_the_best_of_all(seed: int) -> None:
    texts = [
        text
        for length in range(1, MOST + 1)
        for text in product(range(VOCAB), repeat=length)
        if END not in text[:-1] and (text[-1] == END or length == MOST)
    ]
    best = searched(VOCAB**MOST, seed).best
    assert best.tokens == max(texts, key=lambda text: nats_of(text, seed) / len(text))
    assert np.isclose(best.nats, nats_of(best.tokens, seed))


@given(seed=st.integers(0, 10_000), width=st.integers(1, 6))
def test_what_is_found_ends_once_or_is_as_long_as_it_may_be(seed: int, width: int) -> None:
    best = searched(width, seed, most=12).best
    assert END not in best.tokens[:-1]
    assert best.tokens[-1] == END or len(best.tokens) == 12
    assert np.isclose(best.nats, nats_of(best.tokens, seed))


@given(seed=st.integers(0, 10_000))
def test_one_beam_is_greedy_as_long_as_nothing_ends_it(seed: int) -> None:
    tokens: tuple[int, ...] = ()
    while len(tokens) < 10:
        tokens = (*tokens, int(logits_after(tokens, seed).argmax()))
    assert searched(1, seed, most=10, end=frozenset()).best.tokens == tokens
