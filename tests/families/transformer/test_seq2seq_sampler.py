"""Encoder-decoders: what transformers writes and weighs, the same bytes in any company, and clear refusals."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sextant.contract.errors import InvalidRequest, UnsupportedTask
from sextant.contract.events import Estimator, FinishReason, Likelihood, Result, TextDelta
from sextant.contract.media import Text
from sextant.contract.tasks import ChatMessage, Conditions, Role, Task, TaskKind, TextParameters
from sextant.families.transformer import FAMILY
from sextant.families.transformer.seq2seq_sampler import Seq2SeqSampler
from sextant.runtime.rng import RequestRng
from sextant.runtime.session import SessionConfig
from tests.families.running import run_one
from tests.families.transformer.tiny_seq2seq import (
    END,
    KINDS,
    MOST_TOKENS,
    ImportedSeq2Seq,
    ids_of,
    imported,
    tokenizer,
)

TEXTS = ("the cat", "the dog sat on the mat", "a" * 15, "b" * 16, "sings " * 8, "é?")
LENGTH = 24


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks as small as these are slowed a hundredfold by torch's threads where cores are busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=KINDS)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ImportedSeq2Seq:
    return imported(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def sampler(model: ImportedSeq2Seq) -> Seq2SeqSampler:
    return model.sampler()


def generate(prompt: str = "the cat", seed: int = 1, index: int = 0, **parameters: Any) -> Task:
    chosen = TextParameters(**{"max_tokens": LENGTH, **parameters})
    return Task(TaskKind.GENERATE, seed=seed, index=index, prompt=prompt, parameters=chosen)


def score(text: str, context: str = "the cat", index: int = 0) -> Task:
    return Task(TaskKind.SCORE, seed=0, index=index, source=Text(text), context=context)


def stepped(sampler: Seq2SeqSampler, task: Task) -> tuple[Any, list[TextDelta]]:
    """The task alone: its last state, and what it streamed."""
    state = sampler.start(task, RequestRng(task.seed, task.index))
    deltas = []
    while not state.done:
        sampler.step([state])
        delta = sampler.delta(state)
        if delta is not None:
            deltas.append(delta)
    return state, deltas


def written_by_transformers(model: ImportedSeq2Seq, prompt: str, **options: Any) -> list[int]:
    # Its cache takes the decoder to be as deep as the encoder, which these are not.
    with torch.no_grad():
        ids = model.model.generate(
            torch.tensor([ids_of(prompt)]), max_new_tokens=LENGTH, do_sample=False, use_cache=False, **options
        )
    said: list[int] = ids[0, 1:].tolist()
    return said[: said.index(END) + 1] if END in said else said


def text_of(result: Result) -> str:
    assert isinstance(result.content, Text)
    return result.content.content


@pytest.mark.parametrize("prompt", TEXTS)
def test_greedy_text_is_that_of_transformers(model: ImportedSeq2Seq, sampler: Seq2SeqSampler, prompt: str) -> None:
    state, _ = stepped(sampler, generate(prompt, temperature=0.0))
    expected = written_by_transformers(model, prompt)
    assert state.tail.generation.tokens == expected
    assert text_of(sampler.result(state)) == tokenizer().decode(expected)


@pytest.mark.parametrize("beams", [2, 3, 8])
@pytest.mark.parametrize("prompt", TEXTS)
def test_beams_find_what_those_of_transformers_find(
    model: ImportedSeq2Seq, sampler: Seq2SeqSampler, prompt: str, beams: int
) -> None:
    state, deltas = stepped(sampler, generate(prompt, beams=beams))
    expected = written_by_transformers(model, prompt, num_beams=beams)
    assert list(state.tail.search.best.tokens) == expected
    result = sampler.result(state)
    assert text_of(result) == tokenizer().decode(expected)
    assert result.finish_reason is (FinishReason.COMPLETE if expected[-1] == END else FinishReason.LENGTH)
    assert result.usage is not None
    assert result.usage.generated_tokens == len(expected)
    assert not deltas


@pytest.mark.parametrize("context", TEXTS)
def test_a_score_is_the_sum_of_the_log_softmax_of_transformers(
    model: ImportedSeq2Seq, sampler: Seq2SeqSampler, context: str
) -> None:
    for text in ("the mat", "sat sat on the dog"):
        target = ids_of(text)
        with torch.no_grad():
            logits = model.model(torch.tensor([ids_of(context)]), labels=torch.tensor([target])).logits[0].double()
        expected = torch.log_softmax(logits, -1)[torch.arange(len(target)), torch.tensor(target)]

        likelihood = run_one(sampler, score(text, context)).content

        assert isinstance(likelihood, Likelihood)
        assert likelihood.estimator is Estimator.EXACT
        assert likelihood.dimensions == len(target)
        assert np.allclose([token.logprob_nats for token in likelihood.tokens], expected, atol=1e-4)
        assert likelihood.log_likelihood_nats == pytest.approx(float(expected.sum()), rel=1e-5)
        assert b"".join(token.token for token in likelihood.tokens).decode() == f" {text}</s>"


def test_log_probabilities_of_a_drawn_text_are_those_of_scoring_it(sampler: Seq2SeqSampler) -> None:
    """As far as its tokens are those that its text is cut into, which the first is made to be."""
    for seed in range(20):
        state, deltas = stepped(sampler, generate(seed=seed, temperature=1.0, logprobs=2, max_tokens=4))
        tokens = [token for delta in deltas for token in delta.tokens]
        text = text_of(sampler.result(state))
        scored = run_one(sampler, score(text)).content if text else None
        if isinstance(scored, Likelihood) and [t.token_id for t in scored.tokens[:-1]] == [t.token_id for t in tokens]:
            said = [token.logprob_nats for token in scored.tokens[:-1]]
            assert said == [token.logprob_nats for token in tokens]
            return
    pytest.fail("no text of twenty was cut into the tokens that were drawn")


tasks = st.one_of(
    st.builds(
        generate,
        prompt=st.sampled_from(TEXTS),
        seed=st.integers(0, 3),
        temperature=st.sampled_from([0.0, 0.8, 1.5]),
        top_k=st.sampled_from([0, 5]),
        top_p=st.sampled_from([0.7, 1.0]),
        max_tokens=st.integers(1, LENGTH),
    ),
    st.builds(generate, prompt=st.sampled_from(TEXTS), beams=st.integers(2, 5), max_tokens=st.integers(1, LENGTH)),
    st.builds(score, text=st.sampled_from(TEXTS[:4]), context=st.sampled_from(TEXTS)),
)


@settings(max_examples=12, deadline=None)
@given(chosen=st.lists(tasks, min_size=2, max_size=6), choices=st.data())
def test_a_text_is_the_same_alone_and_in_any_company(
    sampler: Seq2SeqSampler, chosen: list[Task], choices: st.DataObject
) -> None:
    """At every turn someone joins, or some of those in one group take a step."""
    waiting = list(range(len(chosen)))
    running: dict[int, Any] = {}
    found: dict[int, Result] = {}
    while waiting or running:
        if waiting and (not running or choices.draw(st.booleans())):
            place = waiting.pop()
            running[place] = sampler.start(chosen[place], RequestRng(chosen[place].seed, chosen[place].index))
            continue
        first = choices.draw(st.sampled_from(sorted(running)))
        together = [place for place in running if sampler.group(running[place]) == sampler.group(running[first])]
        batch = choices.draw(st.lists(st.sampled_from(together), min_size=1, unique=True))
        sampler.step([running[place] for place in batch])
        for place in batch:
            if running[place].done:
                found[place] = sampler.result(running.pop(place))
    for place, task in enumerate(chosen):
        alone = run_one(sampler, task)
        assert (found[place].content, found[place].finish_reason) == (alone.content, alone.finish_reason)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), temperature=st.sampled_from([0.0, 1.0, 2.0]), stop=st.sampled_from([(), ("a",)]))
def test_what_is_streamed_is_the_text(
    sampler: Seq2SeqSampler, seed: int, temperature: float, stop: tuple[str, ...]
) -> None:
    state, deltas = stepped(sampler, generate(seed=seed, temperature=temperature, stop=stop))
    text = text_of(sampler.result(state))
    assert "".join(delta.content for delta in deltas) == text
    assert not any(mark in text for mark in stop)


def test_a_text_ends_at_its_length_unless_it_ends_itself(sampler: Seq2SeqSampler) -> None:
    for beams in (1, 3):
        result = run_one(sampler, generate(max_tokens=MOST_TOKENS, ignore_end_of_text=True, temperature=0, beams=beams))
        assert result.finish_reason is FinishReason.LENGTH
        assert result.usage is not None
        assert result.usage.generated_tokens == MOST_TOKENS


def test_at_a_deadline_a_beam_search_gives_its_best_so_far(sampler: Seq2SeqSampler) -> None:
    task = generate(beams=3, ignore_end_of_text=True)
    state = sampler.start(task, RequestRng(task.seed, task.index))
    assert sampler.partial(state) is None
    for steps in range(4):
        sampler.step([state])
        found = sampler.partial(state)
        assert (found is None) == (steps == 0)  # in the first it only reads
    assert found is not None
    assert found.usage is not None
    assert found.usage.generated_tokens == 3
    whole, _ = stepped(sampler, generate(beams=3, ignore_end_of_text=True, max_tokens=3))
    assert text_of(found) == text_of(sampler.result(whole))


CHAT = (ChatMessage(Role.USER, "hello"),)
REFUSED: dict[str, tuple[Task, str]] = {
    "nothing to read": (generate(""), "prompt"),
    "too much to read": (generate("cat dog " * MOST_TOKENS), "prompt"),
    "too long an answer": (generate(max_tokens=MOST_TOKENS + 1), "text.max_tokens"),
    "a conversation": (Task(TaskKind.GENERATE, seed=0, chat=CHAT), "chat"),
    "a source": (Task(TaskKind.GENERATE, seed=0, prompt="a", source=Text("b")), "source"),
    "conditions": (Task(TaskKind.GENERATE, seed=0, prompt="a", conditions=Conditions("x")), "conditions"),
    "more beams than rows": (generate(beams=65), "text.beams"),
    "beams that are drawn": (generate(beams=2, temperature=1.0), "text.temperature"),
    "beams that stop": (generate(beams=2, stop=("a",)), "text.stop"),
    "beams with log-probabilities": (generate(beams=2, logprobs=0), "text.logprobs"),
    "beams that are penalised": (generate(beams=2, repetition_penalty=1.2), "text.repetition_penalty"),
    "nothing to score": (score(""), r"items\[0\].text"),
    "a score of nothing read": (score("the", context=""), "context"),
    "too long a text to score": (score("cat " * MOST_TOKENS), r"items\[0\].text"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_done_is_refused_by_its_field(sampler: Seq2SeqSampler, what: str) -> None:
    task, field = REFUSED[what]
    with pytest.raises(InvalidRequest, match=f"^{field}"):
        run_one(sampler, task)


def test_other_tasks_are_unsupported(sampler: Seq2SeqSampler) -> None:
    with pytest.raises(UnsupportedTask):
        run_one(sampler, Task(TaskKind.ENCODE, seed=0, source=Text("the cat")))


def test_a_beam_search_costs_as_many_rows_as_beams(sampler: Seq2SeqSampler) -> None:
    assert sampler.cost(generate(beams=5)).rows == 5
    assert sampler.cost(generate()).rows == sampler.cost(score("a")).rows == 1
    assert sampler.cost(generate(beams=1000)).rows <= sampler.limits.rows_per_step


def test_the_family_loads_and_warms_it_up(model: ImportedSeq2Seq) -> None:
    loaded = FAMILY.load(model.bundle, SessionConfig())
    for task in FAMILY.warm_up(model.bundle):
        assert run_one(loaded, task).content is not None
