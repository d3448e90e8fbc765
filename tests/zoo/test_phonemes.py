"""The recipe of the pronouncing model: what it reads and writes is what the lexicon holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sextant.families.transformer.decoder_config import TokenIds
from sextant.families.transformer.seq2seq_text import SourceText, WrittenText
from sextant.zoo.data.location import DataMissing
from sextant.zoo.data.phonemes import Pronunciation, lexicon
from sextant.zoo.recipes.phonemes import source_tokenizer, tokenizer

WRITTEN = WrittenText(tokenizer().to_str(), TokenIds(end=(1,)), tokenizer().get_vocab_size())
READ = SourceText(source_tokenizer().to_str(), 1, 64, refuses_unknown=True)


@given(text=st.text(alphabet="ˈˌəɹnsltkɪidmpɛæɑbOfIAɾzʌɡᵊvʃɔuŋwʤhjɜʧθʊᵻWYðʒʔ", max_size=30))
def test_each_phoneme_is_a_token_and_comes_back(text: str) -> None:
    ids = WRITTEN.encode(text)
    assert len(ids) == len(text)
    assert b"".join(WRITTEN.bytes_of[token] for token in ids).decode() == text


@pytest.mark.parametrize(("written", "same"), [("Café", "cafe"), ("O’CLOCK", "o'clock"), (" hello\n", "hello")])
def test_a_word_is_read_alike_however_it_is_written(written: str, same: str) -> None:
    assert READ.ids(written, "prompt").tolist() == READ.ids(same, "prompt").tolist()


def _lexicon(split: str) -> tuple[Pronunciation, ...]:
    try:
        return lexicon(split)
    except DataMissing as missing:
        pytest.skip(str(missing))


def test_held_out_words_are_in_no_training() -> None:
    learnt, held_out = ({entry.word for entry in _lexicon(split)} for split in ("train", "test"))
    assert len(held_out) == 5_000
    assert not learnt & held_out


def test_every_word_of_the_lexicon_can_be_read_and_written() -> None:
    for entry in _lexicon("test"):
        assert len(READ.ids(entry.word, "prompt")) == len(entry.word) + 1
        assert 2 not in WRITTEN.encode(entry.phonemes)
