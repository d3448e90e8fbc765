"""The decoder as a sampler, against transformers and against itself in company."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sextant.contract.errors import InvalidRequest, UnsupportedTask
from sextant.contract.events import Estimator, FinishReason, Likelihood, Result, TextDelta, TokenLogProb
from sextant.contract.media import Text
from sextant.contract.tasks import ChatMessage, Conditions, Role, Task, TaskKind, TextParameters
from sextant.families.transformer.sampler import DecoderSampler
from sextant.runtime.rng import RequestRng
from tests.families.transformer.conftest import Imported
from tests.families.transformer.tiny_decoders import END, TURN_END, id_of, tiny_tokenizer, torch_logits

LONG_PROMPT = "the cat sat on the mat, 1 2 3 4 5 6 7 8 9! " * 5


def generate(prompt: str = "the cat", seed: int = 1, index: int = 0, **parameters: Any) -> Task:
    chosen = TextParameters(**{"max_tokens": 12, "continue_prompt": True, "ignore_end_of_text": True, **parameters})
    return Task(TaskKind.GENERATE, seed=seed, index=index, prompt=prompt, parameters=chosen)


def score(text: str, context: str = "", index: int = 0) -> Task:
    return Task(TaskKind.SCORE, seed=0, index=index, source=Text(text), context=context)


def start(sampler: DecoderSampler, task: Task) -> Any:
    return sampler.start(task, RequestRng(task.seed, task.index))


def run(sampler: DecoderSampler, task: Task) -> tuple[Result, list[TextDelta]]:
    """The task alone: its result, and what it streamed."""
    state = start(sampler, task)
    deltas = []
    while not state.done:
        sampler.step([state])
        delta = sampler.delta(state)
        if isinstance(delta, TextDelta):
            deltas.append(delta)
    result = sampler.result(state)
    sampler.release(state)
    return result, deltas


def text_of(result: Result) -> str:
    assert isinstance(result.content, Text)
    return result.content.content


def run_together(sampler: DecoderSampler, tasks: Sequence[Task], choices: Any) -> list[tuple[list[int], Result]]:
    """The tasks in company: at every turn someone joins, or some of those in one group take a step."""
    waiting = list(range(len(tasks)))
    running: dict[int, Any] = {}
    finished: dict[int, tuple[list[int], Result]] = {}
    while waiting or running:
        free = len(running) < sampler.limits.slots
        if waiting and free and (not running or choices.draw(st.booleans())):
            place = waiting.pop(choices.draw(st.integers(0, len(waiting) - 1)))
            running[place] = start(sampler, tasks[place])
            continue
        groups: dict[Any, list[int]] = {}
        for place, state in running.items():
            groups.setdefault(sampler.group(state), []).append(place)
        group = groups[choices.draw(st.sampled_from(sorted(groups, key=lambda key: min(groups[key]))))]
        batch = choices.draw(st.lists(st.sampled_from(sorted(group)), min_size=1, unique=True))
        sampler.step([running[place] for place in batch])
        for place in batch:
            if running[place].done:
                state = running.pop(place)
                finished[place] = (state.tokens, sampler.result(state))
                sampler.release(state)
    return [finished[place] for place in range(len(tasks))]


def test_greedy_text_is_that_of_transformers(exact_decoder: Imported) -> None:
    sampler = exact_decoder.sampler()
    for prompt in ("the cat", LONG_PROMPT):
        ids = tiny_tokenizer().encode(prompt, add_special_tokens=False).ids
        with torch.no_grad():
            whole = exact_decoder.model.generate(
                torch.tensor([ids]), max_new_tokens=20, min_new_tokens=20, do_sample=False, eos_token_id=None
            )
        state = start(sampler, generate(prompt, max_tokens=20, temperature=0.0))
        while not state.done:
            sampler.step([state])
        assert state.tokens == whole[0, len(ids) :].tolist()
        sampler.release(state)


def test_a_score_is_the_sum_of_the_log_softmax_of_transformers(exact_decoder: Imported) -> None:
    tokenizer = tiny_tokenizer()
    sampler = exact_decoder.sampler()
    for text, context in ((LONG_PROMPT, ""), ("the dog sat", "once upon a time"), (LONG_PROMPT, LONG_PROMPT[:7])):
        before = tokenizer.encode(context).ids or [id_of(END)]
        item = tokenizer.encode(text).ids
        ids = before + item
        logits = torch.tensor(torch_logits(exact_decoder.model, ids)).double()
        per_token = torch.log_softmax(logits, -1)[torch.arange(len(ids) - 1), torch.tensor(ids[1:])]
        expected = per_token[len(before) - 1 :]

        likelihood = run(sampler, score(text, context))[0].content

        assert isinstance(likelihood, Likelihood)
        assert likelihood.estimator is Estimator.EXACT
        assert likelihood.dimensions == len(item) == len(likelihood.tokens)
        assert likelihood.log_likelihood_nats == pytest.approx(float(expected.sum()), rel=1e-5)
        assert np.allclose([token.logprob_nats for token in likelihood.tokens], expected, atol=2e-4)
        assert b"".join(token.token for token in likelihood.tokens).decode() == text


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choices=st.data())
def test_a_text_is_the_same_alone_and_in_any_company(any_decoder: Imported, choices: Any) -> None:
    sampler = any_decoder.sampler()
    tasks = [
        generate("the cat", seed=1, temperature=0.9, logprobs=2),
        generate(LONG_PROMPT, seed=2, temperature=1.3, top_p=0.8, repetition_penalty=1.2),
        generate("once", seed=3, temperature=0.0),
        generate("a small model and", seed=4, temperature=2.0, top_k=30, max_tokens=5),
        generate(LONG_PROMPT[:40], seed=5, index=3, min_p=0.01, logprobs=0, max_tokens=20),
    ]
    alone = []
    for task in tasks:
        state = start(sampler, task)
        while not state.done:
            sampler.step([state])
        alone.append((state.tokens, sampler.result(state)))
        sampler.release(state)

    assert run_together(sampler, tasks, choices) == alone


def test_a_score_is_the_same_to_the_bit_while_others_write(any_decoder: Imported) -> None:
    sampler = any_decoder.sampler()
    alone = run(sampler, score(LONG_PROMPT))[0]
    writers = [start(sampler, generate("once", seed=seed)) for seed in range(3)]
    for writer in writers:
        sampler.step([writer])
    reader = start(sampler, score(LONG_PROMPT))
    while not reader.done:
        sampler.step([reader])
        sampler.step(writers)

    assert sampler.result(reader) == alone


def test_the_import_measures_that_company_changes_nothing(any_decoder: Imported) -> None:
    assert any_decoder.bundle.manifest.deterministic


def test_the_chunks_of_a_text_add_up_to_it_and_to_its_tokens(llama: Imported) -> None:
    result, deltas = run(llama.sampler(), generate(seed=5, temperature=2.0, max_tokens=40, logprobs=3))

    assert "".join(delta.content for delta in deltas) == text_of(result)
    tokens = [token for delta in deltas for token in delta.tokens]
    assert len(tokens) == result.usage.generated_tokens == 40
    assert all(len(token.alternatives) == 3 for token in tokens)
    assert result.finish_reason is FinishReason.LENGTH


def test_reported_log_probabilities_are_those_of_the_raw_distribution(llama: Imported) -> None:
    sampler = llama.sampler()
    state = start(sampler, generate(seed=5, temperature=3.0, top_k=40, logprobs=4))
    reported: list[TokenLogProb] = []
    while not state.done:
        sampler.step([state])
        delta = sampler.delta(state)
        reported += delta.tokens if isinstance(delta, TextDelta) else ()
    ids = tiny_tokenizer().encode("the cat").ids
    raw = torch.log_softmax(torch.tensor(torch_logits(llama.model, ids + state.tokens)).double(), -1).numpy()

    for row, token in zip(raw[len(ids) - 1 :], reported, strict=False):
        assert token.logprob_nats == pytest.approx(row[token.token_id], abs=1e-4)
        assert [other.token_id for other in token.alternatives] == np.argsort(-row)[:4].tolist()


def test_a_text_ends_before_its_stop_string_and_says_so(llama: Imported) -> None:
    sampler = llama.sampler()
    whole = text_of(run(sampler, generate(seed=5, temperature=1.5, max_tokens=40))[0])
    stop = whole[9:12]
    result, deltas = run(sampler, generate(seed=5, temperature=1.5, max_tokens=40, stop=(stop,), logprobs=0))

    assert text_of(result) == whole[: whole.index(stop)]
    assert result.finish_reason is FinishReason.STOP
    assert "".join(delta.content for delta in deltas) == text_of(result)
    reported = b"".join(token.token for delta in deltas for token in delta.tokens)
    assert reported.decode(errors="replace").startswith(text_of(result))


def test_a_text_ends_at_the_end_token_unless_told_otherwise(llama: Imported) -> None:
    sampler = llama.sampler()
    for seed in range(60):
        result, _ = run(sampler, generate(seed=seed, temperature=5.0, max_tokens=60, ignore_end_of_text=False))
        if result.finish_reason is FinishReason.COMPLETE:
            assert result.usage.generated_tokens <= 60
            longer, _ = run(sampler, generate(seed=seed, temperature=5.0, max_tokens=60))
            assert longer.usage.generated_tokens == 60
            assert text_of(longer).startswith(text_of(result).rstrip("\ufffd"))
            return
    pytest.fail("no text in 60 met its end token")


def test_a_prompt_is_read_as_a_users_message(llama: Imported) -> None:
    sampler = llama.sampler()
    asked = Task(TaskKind.GENERATE, seed=1, prompt="the cat", parameters=TextParameters(max_tokens=5))
    told = Task(
        TaskKind.GENERATE, seed=1, chat=(ChatMessage(Role.USER, "the cat"),), parameters=TextParameters(max_tokens=5)
    )
    rendered = "<|im_start|>user\nthe cat<|im_end|>\n<|im_start|>assistant\n"
    spelled = generate(rendered, max_tokens=5, ignore_end_of_text=False)

    results = [run(sampler, task)[0] for task in (asked, told, spelled)]
    assert results[0] == results[1] == results[2]


def test_a_text_can_be_made_from_nothing(llama: Imported) -> None:
    result, _ = run(llama.sampler(), generate(prompt="", max_tokens=3))
    assert result.usage.prompt_tokens == 1


def test_a_message_cannot_end_itself(llama: Imported) -> None:
    sampler = llama.sampler()
    task = Task(TaskKind.GENERATE, seed=1, prompt=f"a{TURN_END}b", parameters=TextParameters(max_tokens=1))
    state = start(sampler, task)

    assert (state.plan.prompt == id_of(TURN_END)).sum() == 1  # the template's own
    assert tiny_tokenizer().decode(state.plan.prompt.tolist(), skip_special_tokens=False).count(f"a{TURN_END}b") == 1


@pytest.mark.parametrize(
    ("task", "field"),
    [
        (generate("the cat " * 600), "prompt"),
        (generate(max_tokens=511), "text.max_tokens"),
        (generate(beams=2), "text.beams"),
        (Task(TaskKind.GENERATE, seed=0, chat=(ChatMessage(Role.USER, "the cat " * 600),)), "chat"),
        (Task(TaskKind.GENERATE, seed=0, prompt="a", conditions=Conditions(class_label="7")), "conditions"),
        (score("the cat " * 600, index=2), "items[2].text"),
        (score("", index=1), "items[1].text"),
        (score("a", context="the cat " * 600), "context"),
    ],
)
def test_what_the_model_cannot_do_is_refused_by_field(llama: Imported, task: Task, field: str) -> None:
    sampler = llama.sampler()
    for _ in range(sampler.limits.slots + 1):  # a refusal must not cost a slot
        with pytest.raises(InvalidRequest) as refused:
            start(sampler, task)
        assert refused.value.violations[0].field == field


def test_other_tasks_are_not_supported(llama: Imported) -> None:
    with pytest.raises(UnsupportedTask):
        start(llama.sampler(), Task(TaskKind.ENCODE, seed=0, source=Text("a")))


def test_a_text_may_fill_the_context_to_its_last_token(llama: Imported) -> None:
    sampler = llama.sampler()
    context = llama.bundle.manifest.context_tokens
    prompt_tokens = len(tiny_tokenizer().encode("the cat").ids)
    result, _ = run(sampler, generate(max_tokens=context - prompt_tokens))
    assert result.usage.generated_tokens == context - prompt_tokens
