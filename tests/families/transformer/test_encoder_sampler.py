"""Encoders: torch's embeddings and fills, the same bytes in any company, and clear refusals."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import BertForMaskedLM

from sextant.bundles.progress import no_progress
from sextant.bundles.store import Bundle
from sextant.bundles.writer import ImportOptions
from sextant.contract.errors import BundleRefused, InvalidRequest, UnsupportedTask
from sextant.contract.events import Result
from sextant.contract.media import Latent, Tensor, Text
from sextant.contract.tasks import Conditions, FillMaskParameters, Task, TaskKind, TextParameters
from sextant.families.transformer import FAMILY
from sextant.families.transformer.encoder_import import import_encoder
from sextant.families.transformer.encoder_sampler import EncoderSampler, warm_up
from sextant.families.transformer.encoder_text import EncoderText
from sextant.runtime.rng import RequestRng
from sextant.runtime.session import SessionConfig
from tests.families.transformer.encoder_checkpoint import (
    MAX_POSITIONS,
    bert,
    masked,
    tokenizer,
    torch_ids,
    torch_states,
)

LONGEST = MAX_POSITIONS - 2  # words of one token that fit between the model's own marks
TEXTS = (
    "the cat",
    "The old dog sleeps, the red sun sings!",
    "Ünïcödé and cät",
    "a " * 14,  # 16 tokens: no padding
    "a " * 15,
    "walk " * 40,
    "sea " * LONGEST,
)


class Filler(NamedTuple):
    model: BertForMaskedLM
    bundle: Bundle
    sampler: EncoderSampler


@pytest.fixture(scope="module")
def filler(tmp_path_factory: pytest.TempPathFactory) -> Filler:
    home = tmp_path_factory.mktemp("filler")
    model, directory = masked(home / "checkpoint")
    bundle = import_encoder(directory, home / "bundles", ImportOptions(name="filler"), no_progress)
    return Filler(model, bundle, EncoderSampler.load(bundle, SessionConfig()))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> EncoderSampler:
    home = tmp_path_factory.mktemp("plain")
    _, directory = bert(home / "checkpoint")
    bundle = import_encoder(directory, home / "bundles", ImportOptions(name="plain"), no_progress)
    return EncoderSampler.load(bundle, SessionConfig())


@pytest.fixture(scope="module", params=["fp32", "int8"])
def either(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> EncoderSampler:
    home = tmp_path_factory.mktemp("either")
    _, directory = masked(home / "checkpoint")
    options = ImportOptions(name="either", precision=request.param)
    return EncoderSampler.load(import_encoder(directory, home / "bundles", options, no_progress), SessionConfig())


def encode(text: str, index: int = 0) -> Task:
    return Task(TaskKind.ENCODE, seed=0, index=index, source=Text(text))


def fill(text: str, candidates: int | None = None) -> Task:
    parameters = None if candidates is None else FillMaskParameters(candidates)
    return Task(TaskKind.TRANSFORM, seed=0, source=Text(text), parameters=parameters)


def run(sampler: EncoderSampler, tasks: Sequence[Task]) -> list[Result]:
    """All tasks at once, in as many calls as there are groups."""
    states = [sampler.start(task, RequestRng(task.seed, task.index)) for task in tasks]
    groups = defaultdict(list)
    for state in states:
        groups[sampler.group(state)].append(state)
    for group in groups.values():
        sampler.step(group)
    assert all((state.done, state.steps_done, state.steps_total) == (True, 1, 1) for state in states)
    results = [sampler.result(state) for state in states]
    for state in states:
        sampler.release(state)
    return results


def embedded(result: Result) -> np.ndarray:
    assert isinstance(result.content, Latent)
    return result.content.mean


def bytes_of(result: Result) -> Any:
    content = result.content
    return content.mean.tobytes() if isinstance(content, Latent) else (content, result.fills)


def test_embeddings_are_the_mean_of_torchs_token_states(filler: Filler) -> None:
    for text, result in zip(TEXTS, run(filler.sampler, [encode(text) for text in TEXTS]), strict=True):
        mean = torch_states(filler.model.bert, text).mean(dim=0)
        np.testing.assert_allclose(embedded(result), torch.nn.functional.normalize(mean, dim=0), atol=1e-5)
        assert embedded(result).dtype == np.float32
        assert result.content.space == "filler/sentence"
        assert result.usage.prompt_tokens == len(torch_ids(text))


def test_a_text_is_encoded_to_the_states_of_all_its_tokens_where_that_space_is_wanted(filler: Filler) -> None:
    tasks = [replace(encode(text), space=f"filler/{space}") for text in TEXTS for space in ("tokens", "sentence")]
    together = run(filler.sampler, tasks)
    for task, result in zip(tasks, together, strict=True):
        assert isinstance(result.content, Latent)
        assert result.content.space == task.space
        assert bytes_of(result) == bytes_of(run(filler.sampler, [task])[0])
        if task.space == "filler/tokens":
            assert isinstance(task.source, Text)
            expected = torch_states(filler.model.bert, task.source.content)
            np.testing.assert_allclose(embedded(result), expected, atol=2e-5)


def test_a_space_that_is_not_the_encoders_is_refused_by_its_field(plain: EncoderSampler) -> None:
    with pytest.raises(InvalidRequest) as refused:
        run(plain, [replace(encode("the cat"), space="else/where")])
    assert refused.value.violations[0].field == "options.guarantees.latent_space"


@settings(max_examples=40)
@given(
    company=st.lists(
        st.sampled_from(TEXTS) | st.text("ab cats.[]!é☂", max_size=20).map(lambda t: f"a{t}"), max_size=12
    ),
    text=st.sampled_from(TEXTS),
    place=st.integers(0, 12),
)
def test_an_embedding_has_the_same_bytes_alone_and_in_any_company(
    either: EncoderSampler, company: list[str], text: str, place: int
) -> None:
    alone = run(either, [encode(text)])[0]
    texts = [*company[:place], text, *company[place:]]
    together = run(either, [encode(one) for one in texts])
    assert bytes_of(together[min(place, len(company))]) == bytes_of(alone)


@settings(max_examples=40)
@given(
    company=st.lists(st.sampled_from(["a [MASK].", "[MASK]" * 9, "the [MASK] is [MASK]", *TEXTS]), max_size=12),
    text=st.sampled_from(["[MASK]", "the [MASK] cat [MASK].", "a [MASK] " * 20]),
)
def test_a_filled_text_has_the_same_bytes_alone_and_among_fills_and_embeddings(
    either: EncoderSampler, company: list[str], text: str
) -> None:
    alone = run(either, [fill(text)])[0]
    mates = [fill(mate) if "[MASK]" in mate else encode(mate) for mate in company]
    assert bytes_of(run(either, [*mates, fill(text)])[-1]) == bytes_of(alone)


@pytest.mark.parametrize("text", ["the [MASK] sings", "[MASK], [MASK] and [MASK]!", "[MASK]" * LONGEST])
def test_blanks_get_the_candidates_that_torch_gives_them(filler: Filler, text: str) -> None:
    (result,) = run(filler.sampler, [fill(text, 7)])
    ids = torch.tensor([torch_ids(text)])
    with torch.no_grad():
        logprobs = filler.model(ids).logits[0].log_softmax(dim=-1)
    places = (ids[0] == 4).nonzero()[:, 0]
    assert len(result.fills) == len(places) == text.count("[MASK]")
    for candidates, place in zip(result.fills, places, strict=True):
        expected = logprobs[place].topk(7)
        assert [candidate.token_id for candidate in candidates] == expected.indices.tolist()
        found = [candidate.logprob_nats for candidate in candidates]
        assert found == pytest.approx(expected.values.tolist(), abs=1e-4)
        assert [c.token.decode() for c in candidates] == [tokenizer().id_to_token(c.token_id) for c in candidates]


def test_the_text_comes_back_with_its_blanks_filled_and_the_rest_untouched(filler: Filler) -> None:
    text = "Ünïcödé ☂  CAT [MASK],\nthe [MASK]  end"
    (result,) = run(filler.sampler, [fill(text)])
    first, second = (candidates[0].token.decode() for candidates in result.fills)
    wanted = f" {first}".replace(" ##", ""), f" {second}".replace(" ##", "")
    assert result.content == Text(f"Ünïcödé ☂  CAT{wanted[0]},\nthe{wanted[1]}  end")


def test_there_are_five_candidates_unless_asked_for_another_number(filler: Filler) -> None:
    results = run(filler.sampler, [fill("[MASK]"), fill("[MASK]", 1), fill("[MASK]", 100)])
    assert [len(result.fills[0]) for result in results] == [5, 1, filler.model.config.vocab_size]
    everything = [candidate.logprob_nats for candidate in results[2].fills[0]]
    assert everything == sorted(everything, reverse=True)
    assert np.exp(everything).sum() == pytest.approx(1.0)


def test_a_token_that_continues_a_word_is_joined_to_it() -> None:
    text = EncoderText(tokenizer().to_str(), "[MASK]")
    blanks = text.encode("walk [MASK], [MASK] [MASK]").blanks
    assert text.fill("walk [MASK], [MASK] [MASK]", blanks, ["##ing", "dog", "##s"]) == "walking, dogs"
    assert text.fill("walk [MASK], [MASK] [MASK]", blanks, ["the", "##s", "a"]) == "walk the,s a"


def test_tokens_that_only_the_network_has_are_never_proposed(tmp_path: Path) -> None:
    known = tokenizer().get_vocab_size()
    _, directory = masked(tmp_path / "checkpoint", vocab_size=known + 9)
    bundle = import_encoder(directory, tmp_path / "bundles", ImportOptions(name="padded"), no_progress)
    (result,) = run(EncoderSampler.load(bundle, SessionConfig()), [fill("[MASK]", 100)])
    assert sorted(candidate.token_id for candidate in result.fills[0]) == list(range(known))


def test_a_text_longer_than_the_model_reads_is_refused_with_both_numbers(filler: Filler) -> None:
    run(filler.sampler, [encode("a " * LONGEST)])
    with pytest.raises(InvalidRequest) as refused:
        filler.sampler.start(encode("a " * (LONGEST + 1), index=3), RequestRng(0))
    (violation,) = refused.value.violations
    assert violation.field == "items[3].text"
    assert str(MAX_POSITIONS) in violation.description
    assert str(MAX_POSITIONS + 1) in violation.description


def test_a_huge_text_is_refused_without_being_tokenised(filler: Filler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EncoderText, "encode", lambda *_: pytest.fail("tokenised"))
    with pytest.raises(InvalidRequest, match=f"{10**7} characters.*{MAX_POSITIONS} tokens"):
        filler.sampler.start(encode("a" * 10**7), RequestRng(0))


@pytest.mark.parametrize("text", ["", " ", "\n\t\u200b"])
def test_a_text_with_nothing_in_it_is_refused(filler: Filler, text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"items\[0\]\.text"):
        filler.sampler.start(encode(text), RequestRng(0))
    with pytest.raises(InvalidRequest, match=r"source\.text"):
        filler.sampler.start(fill(text), RequestRng(0))


def test_a_text_without_a_blank_is_refused_naming_the_mask_token(filler: Filler) -> None:
    with pytest.raises(InvalidRequest, match=r"source\.text.*\[MASK\]"):
        filler.sampler.start(fill("the <mask> sings"), RequestRng(0))


@pytest.mark.parametrize(
    ("task", "field"),
    [
        (Task(TaskKind.ENCODE, seed=0, source=Tensor(np.zeros(3))), "items[0].text"),
        (Task(TaskKind.ENCODE, seed=0, source=Text("a"), parameters=TextParameters()), "parameters"),
        (Task(TaskKind.ENCODE, seed=0, source=Text("a"), conditions=Conditions("a class")), "conditions"),
        (Task(TaskKind.TRANSFORM, seed=0, source=Text("[MASK]"), parameters=TextParameters()), "parameters"),
        (Task(TaskKind.TRANSFORM, seed=0, source=Text("[MASK]"), prompt="gladly"), "prompt"),
    ],
)
def test_what_an_encoder_cannot_take_into_account_is_refused_by_its_field(
    filler: Filler, task: Task, field: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        filler.sampler.start(task, RequestRng(0))
    assert refused.value.violations[0].field == field


def test_an_encoder_without_the_head_fills_no_blanks(plain: EncoderSampler) -> None:
    with pytest.raises(UnsupportedTask, match="embeds text"):
        plain.start(fill("the [MASK]"), RequestRng(0))
    assert np.linalg.norm(embedded(run(plain, [encode("the [MASK]")])[0])) == pytest.approx(1, abs=1e-6)


def test_a_bundle_that_promises_fills_without_the_head_is_refused(tmp_path: Path) -> None:
    _, directory = bert(tmp_path / "checkpoint")
    headless = import_encoder(directory, tmp_path / "bundles", ImportOptions(name="mine"), no_progress)
    network = {**headless.manifest.network, "mask_token": "[MASK]"}
    manifest = headless.manifest.model_copy(update={"network": network})
    with pytest.raises(BundleRefused, match="mask token"):
        EncoderSampler.load(replace(headless, manifest=manifest), SessionConfig())


@pytest.mark.parametrize("change", [{"context_tokens": MAX_POSITIONS + 1}, {"network": {"precision": "fp32"}}])
def test_a_bundle_whose_manifest_does_not_fit_is_refused(filler: Filler, change: dict[str, Any]) -> None:
    manifest = filler.bundle.manifest.model_copy(update=change)
    with pytest.raises(BundleRefused, match="filler"):
        EncoderSampler.load(replace(filler.bundle, manifest=manifest), SessionConfig())


def test_an_encoder_generates_nothing(filler: Filler) -> None:
    with pytest.raises(UnsupportedTask):
        filler.sampler.start(Task(TaskKind.GENERATE, seed=0, prompt="the cat"), RequestRng(0))


def test_long_texts_and_many_blanks_count_as_several_rows_but_never_more_than_fit(filler: Filler) -> None:
    sampler = filler.sampler
    rows = [sampler.cost(task).rows for task in (encode("the cat"), encode("the cat " * 100), fill("[MASK]" * 64))]
    assert rows == [1, 4, 4]
    assert sampler.cost(encode("cat" * 10**6)).rows == sampler.limits.rows_per_step


def test_warming_up_runs_every_kind_of_task(filler: Filler) -> None:
    tasks = warm_up(filler.bundle)
    assert {task.kind for task in tasks} == {TaskKind.ENCODE, TaskKind.TRANSFORM}
    run(filler.sampler, tasks)
    assert FAMILY.warm_up(filler.bundle) == tasks
    assert isinstance(FAMILY.load(filler.bundle, SessionConfig()), EncoderSampler)
