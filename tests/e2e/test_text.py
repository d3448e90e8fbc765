"""Text through the whole platform, on real weights."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.conftest import SENTENCE_MODEL, TEXT_MODEL, Platform
from tests.e2e.conftest import encode_request, score_request, text_request, without_timing


def steps_made(platform: Platform) -> list[float]:
    """Network calls of the text model, replica by replica."""
    name = f'sextant_step_seconds_count{{model="{TEXT_MODEL}"}}'
    pages = platform.replica_metrics("transformer")
    return [float(line.split()[-1]) for page in pages for line in page.splitlines() if line.startswith(name)]


def test_a_story_streams_in_whole_characters_and_ends_with_a_receipt(stubs):
    events = list(stubs.generation.Generate(text_request("Tell me a short story about a lighthouse 🗼.")))
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds[0] == "accepted"
    assert kinds[-2:] == ["result", "receipt"]
    assert [event.sequence for event in events] == list(range(len(events)))
    streamed = "".join(event.chunk.text.content for event in events if event.WhichOneof("event") == "chunk")
    assert streamed == events[-2].result.media.text.content
    assert len(streamed.split()) > 5
    receipt = events[-1].receipt
    assert receipt.model == TEXT_MODEL
    assert receipt.items[0].generated_tokens <= 24
    assert 0 < receipt.first_event_s < receipt.total_s
    assert len(receipt.bundle_digest) == 64
    assert receipt.decision.rule.line > 0


def test_the_same_seed_gives_the_same_bytes_alone_with_fifteen_mates_and_on_another_replica(platform, stubs):
    request = text_request("Write a poem about rain.", temperature=0.9, top_p=0.95, seed=11)
    alone = without_timing(list(stubs.generation.Generate(request)))
    before = steps_made(platform)
    mates = [text_request(f"Write about the number {n}.", temperature=1.0, seed=n) for n in range(15)]
    with ThreadPoolExecutor(31) as pool:
        noise = [pool.submit(lambda r: list(stubs.generation.Generate(r)), mate) for mate in mates]
        again = list(pool.map(lambda _: without_timing(list(stubs.generation.Generate(request))), range(16)))
        for future in noise:
            future.result()
    after = steps_made(platform)
    assert all(copy == alone for copy in again)
    assert len(after) == 2
    assert all(now > then for now, then in zip(after, before, strict=True)), "both replicas answered"


def test_another_seed_gives_another_text(stubs):
    first, second = (
        without_timing(list(stubs.generation.Generate(text_request(temperature=1.0, seed=seed)))) for seed in (1, 2)
    )
    assert first != second


def test_several_items_differ_and_each_is_whole(stubs):
    request = text_request(temperature=1.0)
    request.count = 3
    events = list(stubs.generation.Generate(request))
    results = {e.result.item: e.result.media.text.content for e in events if e.WhichOneof("event") == "result"}
    assert sorted(results) == [0, 1, 2]
    assert len(set(results.values())) == 3
    assert len(events[-1].receipt.items) == 3


def test_a_stop_string_ends_the_text_before_it(stubs):
    whole = list(stubs.generation.Generate(text_request(max_tokens=40, temperature=0.0)))[-2].result.media.text.content
    stop = whole.split()[4]
    result = list(stubs.generation.Generate(text_request(max_tokens=40, temperature=0.0, stop=[stop])))[-2].result
    assert result.media.text.content == whole[: whole.index(stop)]


def test_log_probabilities_come_with_their_alternatives(stubs):
    events = list(stubs.generation.Generate(text_request(temperature=0.0, logprobs=3, max_tokens=5)))
    tokens = [t for e in events if e.WhichOneof("event") == "chunk" for t in e.chunk.text.tokens]
    assert len(tokens) == 5
    for token in tokens:
        assert len(token.alternatives) == 3
        assert token.token_id == token.alternatives[0].token_id, "greedy takes the most likely"
        assert token.logprob_nats == pytest.approx(token.alternatives[0].logprob_nats)


def test_related_sentences_are_near_each_other(stubs):
    texts = "A cat sleeps on the sofa.", "A kitten naps on the couch.", "The central bank raised interest rates."
    answer = stubs.generation.Encode(encode_request(*texts))
    vectors = [np.frombuffer(latent.mean.data, "<f4") for latent in answer.latents]
    assert answer.receipt.model == SENTENCE_MODEL
    assert all(np.linalg.norm(v) == pytest.approx(1.0, abs=1e-5) for v in vectors)
    assert vectors[0] @ vectors[1] > 0.5 > vectors[0] @ vectors[2]


def test_an_embedding_is_the_same_alone_and_among_others(stubs):
    alone = stubs.generation.Encode(encode_request("The sea is calm tonight.")).latents[0]
    texts = [f"{'very ' * n}long sentence number {n}" for n in range(40)] + ["The sea is calm tonight."]
    assert stubs.generation.Encode(encode_request(*texts)).latents[-1] == alone


def test_sense_is_likelier_than_nonsense_and_the_tokens_add_up(stubs):
    answer = stubs.generation.Score(score_request("The capital of France is Paris.", "Paris the of is France capital."))
    sense, nonsense = answer.likelihoods
    assert sense.log_likelihood_nats > nonsense.log_likelihood_nats
    for likelihood in (sense, nonsense):
        total = sum(token.logprob_nats for token in likelihood.tokens)
        assert likelihood.log_likelihood_nats == pytest.approx(total, abs=1e-6)
        bits = -likelihood.log_likelihood_nats / math.log(2) / likelihood.dimensions
        assert likelihood.bits_per_dimension == pytest.approx(bits)
        assert likelihood.standard_error_nats == 0


def test_context_makes_its_continuation_likelier(stubs):
    plain = stubs.generation.Score(score_request(" Paris.")).likelihoods[0]
    primed = stubs.generation.Score(score_request(" Paris.", context="The capital of France is")).likelihoods[0]
    assert primed.log_likelihood_nats > plain.log_likelihood_nats
