"""Hybrids on the running platform: stages that are other families' replicas, and a hybrid with a replica to itself."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from sextant.contract.v1 import generation_pb2
from tests.e2e.conftest import without_timing
from tests.e2e.test_streams import gauge, wait_for
from tests.hybrids.clothes import CO_LOCATED, REMEMBERED, SHIPPED

DENOISER = ("diffusion", "fashion-diffusion")


def clothes(model: str = SHIPPED, stage: str = "refine", steps: int = 10, count: int = 1, **rest):
    """A request to a hybrid, of so many steps in its long stage."""
    long = generation_pb2.StageParameters(diffusion=generation_pb2.DiffusionParameters(steps=steps, **rest))
    return generation_pb2.GenerateRequest(
        options=generation_pb2.Options(model=model, seed=5),
        count=count,
        hybrid=generation_pb2.HybridParameters(stages={stage: long}),
    )


def steps_and_rows(platform) -> tuple[float, float]:
    """How many calls the denoiser has made, and of how many rows."""
    rows, calls = "sextant_step_rows_sum", "sextant_step_rows_count"
    return sum(gauge(platform, calls, *DENOISER)), sum(gauge(platform, rows, *DENOISER))


def test_a_hybrid_answers_and_its_receipt_lists_the_stages(stubs):
    *events, last = stubs.generation.Generate(clothes())
    assert [event.sequence for event in events] == list(range(len(events)))
    assert [stage.model for stage in last.receipt.stages] == ["fashion-cvae", "fashion-diffusion"]


@pytest.mark.parametrize("model", ["faces-latent-diffusion", "faces-parti", "faces-ranked", "faces-unclip"])
def test_faces_of_words_are_the_same_alone_and_among_others(stubs, model):
    def faces(seed: int, words: str = "a happy person with long blue hair in yellow clothes") -> list:
        options = generation_pb2.Options(model=model, seed=seed)
        return list(stubs.generation.Generate(generation_pb2.GenerateRequest(options=options, prompt=words, count=2)))

    alone = without_timing(faces(11))
    with ThreadPoolExecutor(5) as pool:
        again = pool.submit(faces, 11)
        others = [pool.submit(faces, seed, "somebody gloomy with a beard") for seed in range(4)]
        assert without_timing(again.result())[-1] == alone[-1]  # the receipt has the digests
        assert all(other.result()[-1] != alone[-1] for other in others)
    assert sum(event.HasField("result") for event in faces(12)) == 2


def test_co_located_and_distributed_give_the_same_bytes(stubs):
    apart, together = (
        list(stubs.generation.Generate(clothes(model, count=3, preview_every_steps=2)))
        for model in (SHIPPED, CO_LOCATED)
    )
    assert without_timing(apart) == without_timing(together)
    assert any(event.progress.HasField("preview") for event in apart)
    assert sum(event.HasField("result") for event in apart) == 3


@pytest.mark.parametrize(
    ("model", "stage", "family"),
    [
        (SHIPPED, "refine", "diffusion"),
        pytest.param(REMEMBERED, "draw", "diffusion", marks=pytest.mark.slow),
        (REMEMBERED, "draw", "vae"),
        (CO_LOCATED, "refine", "co-located"),
    ],
    ids=["the last stage", "the first stage", "a stage to come", "all stages at once"],
)
def test_a_hybrid_survives_the_death_of_a_stage_unbroken_and_identical(platform, stubs, model, stage, family):
    platform.wait_for_replicas(family, 1)
    request = clothes(model, stage, steps=200)
    whole = without_timing(list(stubs.generation.Generate(request)))
    events, killed = [], False
    for event in stubs.generation.Generate(request, timeout=120):
        events.append(event)
        if not killed and len(events) > 20:
            for replica in platform.replicas(family):
                replica.send_signal(signal.SIGKILL)
            killed = True
    assert killed
    assert without_timing(events) == whole
    assert events[-1].HasField("receipt")
    platform.wait_for_replicas(family, 1)


def test_cancelling_a_hybrid_stops_its_stages_within_a_step(platform, stubs):
    call = stubs.generation.Generate(clothes(REMEMBERED, "draw", steps=1000))
    for _ in range(5):
        next(call)
    assert sum(gauge(platform, "sextant_slots_taken", *DENOISER)) == 1
    call.cancel()
    assert wait_for(lambda: sum(gauge(platform, "sextant_slots_taken", *DENOISER)) == 0)
    stopped = steps_and_rows(platform)
    time.sleep(0.3)
    assert steps_and_rows(platform) == stopped
    assert sum(gauge(platform, "sextant_slots_taken", "vae", "fashion-vae")) == 0


def test_cancelling_a_co_located_hybrid_stops_its_stages(platform, stubs):
    platform.wait_for_replicas("co-located", 1)
    taken = ("sextant_slots_taken", "co-located", "fashion-diffusion")
    call = stubs.generation.Generate(clothes(CO_LOCATED, steps=1000))
    for _ in range(5):
        next(call)
    assert sum(gauge(platform, *taken)) == 1
    call.cancel()
    assert wait_for(lambda: sum(gauge(platform, *taken)) == 0)


def test_a_stage_shares_calls_with_plain_requests(platform, stubs):
    """Rows per step grow beyond what either asks for alone."""
    plain = generation_pb2.GenerateRequest(
        options=generation_pb2.Options(model="fashion-diffusion", seed=1),
        count=8,
        diffusion=generation_pb2.DiffusionParameters(steps=200, guidance=1.0),
    )
    running = stubs.generation.Generate(plain)
    next(running)
    before = steps_and_rows(platform)
    list(stubs.generation.Generate(clothes(steps=40, count=4)))
    after = steps_and_rows(platform)
    running.cancel()
    assert (after[1] - before[1]) / (after[0] - before[0]) > 8
