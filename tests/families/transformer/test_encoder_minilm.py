"""The sentence encoder of the catalogue, on its real weights."""

import numpy as np
import pytest

from sextant.bundles.store import Bundle
from sextant.contract.errors import InvalidRequest, UnsupportedTask
from sextant.contract.media import Latent, Text
from sextant.contract.tasks import Task, TaskKind
from sextant.families.transformer.encoder_sampler import EncoderSampler
from sextant.runtime.rng import RequestRng
from sextant.runtime.session import SessionConfig

QUESTIONS_AND_ANSWERS = {
    "How do I get my money back?": "Refunds are paid within ten days of your request.",
    "Will I need an umbrella tomorrow?": "The forecast says heavy rain from the early morning on.",
    "Which planet is the largest?": "Jupiter has more than twice the mass of all the others together.",
    "What helps against a headache?": "Take an aspirin, drink some water and lie down in a dark room.",
    "My computer does not start any more": "Check the power supply of the PC and try booting from another disk.",
    "a recipe for supper": "Fry the onions, add rice and stock, and simmer for twenty minutes.",
}


@pytest.fixture(scope="module")
def sampler(sentence_model: Bundle) -> EncoderSampler:
    return EncoderSampler.load(sentence_model, SessionConfig())


def embeddings(sampler: EncoderSampler, texts: list[str]) -> np.ndarray:
    """Each text alone."""
    vectors = []
    for text in texts:
        state = sampler.start(Task(TaskKind.ENCODE, seed=0, source=Text(text)), RequestRng(0))
        sampler.step([state])
        content = sampler.result(state).content
        assert isinstance(content, Latent)
        vectors.append(content.mean)
    return np.stack(vectors)


def test_every_question_finds_its_answer_though_they_share_no_words(sampler: EncoderSampler) -> None:
    questions = embeddings(sampler, list(QUESTIONS_AND_ANSWERS))
    answers = embeddings(sampler, list(QUESTIONS_AND_ANSWERS.values()))
    np.testing.assert_array_equal((questions @ answers.T).argmax(axis=1), range(len(questions)))


def test_embeddings_have_length_one_and_the_same_bytes_in_a_full_call(sampler: EncoderSampler) -> None:
    texts = [*QUESTIONS_AND_ANSWERS.values()] * 6
    alone = embeddings(sampler, texts)
    np.testing.assert_allclose(np.linalg.norm(alone, axis=1), 1, atol=1e-6)
    states = [sampler.start(Task(TaskKind.ENCODE, seed=0, source=Text(text)), RequestRng(0)) for text in texts]
    for group in {sampler.group(state) for state in states}:
        sampler.step([state for state in states if sampler.group(state) == group])
    np.testing.assert_array_equal([sampler.result(state).content.mean for state in states], alone)


def test_texts_of_more_than_512_tokens_are_refused_and_those_of_512_are_read_to_their_end(
    sampler: EncoderSampler,
) -> None:
    longest = "cat " * 509 + "dog"  # with the marks at both ends, 512
    assert not np.array_equal(*embeddings(sampler, [longest, longest.replace("dog", "cat")]))
    with pytest.raises(InvalidRequest, match=r"items\[0\]\.text: has 513 tokens.* 512"):
        embeddings(sampler, [f"{longest} dog"])


def test_it_embeds_in_384_dimensions_and_fills_no_blanks(sampler: EncoderSampler, sentence_model: Bundle) -> None:
    assert sentence_model.manifest.latent_spaces[0].shape == embeddings(sampler, ["a"])[0].shape == (384,)
    assert sentence_model.manifest.tasks == (TaskKind.ENCODE,)
    with pytest.raises(UnsupportedTask):
        sampler.start(Task(TaskKind.TRANSFORM, seed=0, source=Text("the [MASK]")), RequestRng(0))
