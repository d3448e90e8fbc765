"""A hybrid on the running platform: its stages are other families' replicas."""

import signal

from sextant.contract.v1 import generation_pb2
from tests.e2e.conftest import without_timing
from tests.e2e.test_streams import gauge, wait_for


def refined(steps: int = 10, count: int = 1):
    stages = {"refine": generation_pb2.StageParameters(diffusion=generation_pb2.DiffusionParameters(steps=steps))}
    return generation_pb2.GenerateRequest(
        options=generation_pb2.Options(model="fashion-refined", seed=5),
        count=count,
        hybrid=generation_pb2.HybridParameters(stages=stages),
    )


def test_a_hybrid_answers_and_its_receipt_lists_the_stages(stubs):
    *events, last = stubs.generation.Generate(refined())
    assert [event.sequence for event in events] == list(range(len(events)))
    assert [stage.model for stage in last.receipt.stages] == ["fashion-cvae", "fashion-diffusion"]


def test_a_hybrid_survives_the_death_of_a_stage_unbroken_and_identical(platform, stubs):
    request = refined(steps=400)
    whole = without_timing(list(stubs.generation.Generate(request)))
    events, killed = [], False
    for event in stubs.generation.Generate(request, timeout=120):
        events.append(event)
        if not killed and len(events) > 20:
            for replica in platform.replicas("diffusion"):
                replica.send_signal(signal.SIGKILL)
            killed = True
    assert killed
    assert without_timing(events) == whole
    assert events[-1].receipt.retries >= 1
    platform.wait_for_replicas("diffusion", 1)


def test_cancelling_a_hybrid_frees_the_slots_of_its_stages(platform, stubs):
    call = stubs.generation.Generate(refined(steps=1000))
    for _ in range(5):
        next(call)
    taken = ("sextant_slots_taken", "diffusion", "fashion-diffusion")
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
    rows, steps = "sextant_step_rows_sum", "sextant_step_rows_count"
    of = ("diffusion", "fashion-diffusion")

    def figures() -> tuple[float, float]:
        return sum(gauge(platform, rows, *of)), sum(gauge(platform, steps, *of))

    running = stubs.generation.Generate(plain)
    next(running)
    before = figures()
    list(stubs.generation.Generate(refined(steps=40, count=4)))
    after = figures()
    running.cancel()
    assert (after[0] - before[0]) / (after[1] - before[1]) > 8
