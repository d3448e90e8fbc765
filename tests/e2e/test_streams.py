"""What happens to a stream when its reader goes, stops reading, or its replica dies."""

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from sextant.contract.v1 import generation_pb2_grpc
from tests.conftest import Platform
from tests.e2e.conftest import encode_request, probe_request, text_request, without_timing


def gauge(platform: Platform, name: str, family: str = "probe", model: str = "probe") -> list[float]:
    """A replica figure, replica by replica."""
    pages = platform.replica_metrics(family)
    prefix = f'{name}{{model="{model}"}}'
    return [float(line.split()[-1]) for page in pages for line in page.splitlines() if line.startswith(prefix)]


def wait_for(condition, timeout_s: float = 5.0) -> bool:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_a_cancelled_stream_frees_its_slot(platform, stubs):
    call = stubs.generation.Generate(probe_request("sleep=0.05", steps=10_000))
    for _ in range(3):
        next(call)
    assert sum(gauge(platform, "sextant_slots_taken")) == 1
    call.cancel()
    assert wait_for(lambda: sum(gauge(platform, "sextant_slots_taken")) == 0)


def test_an_expired_stream_ends_in_time_and_frees_its_slot(platform, stubs):
    started = time.monotonic()
    with pytest.raises(grpc.RpcError) as failed:
        list(stubs.generation.Generate(probe_request("sleep=0.02", steps=10_000), timeout=0.5))
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - started < 1.5
    assert wait_for(lambda: sum(gauge(platform, "sextant_slots_taken")) == 0)


def test_a_slow_step_is_not_waited_out_by_an_expired_unary_call(stubs):
    request = encode_request("anything", model="probe")
    stubs.generation.Encode(request)
    started = time.monotonic()
    with pytest.raises(grpc.RpcError) as failed:
        list(stubs.generation.Generate(probe_request("sleep=2", steps=5), timeout=0.3))
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - started < 1.0


def test_a_client_that_stops_reading_bounds_what_the_replica_makes_for_it(platform):
    """64 KiB chunks, 2,000 of them: without a bound the replica would make 130 MB for no one."""
    options = [("grpc.http2.lookahead_bytes", 65536), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(platform.target, options) as channel:
        call = generation_pb2_grpc.GenerationStub(channel).Generate(probe_request("payload=65536", steps=2000))
        next(call)
        time.sleep(3.0)
        before = gauge(platform, "sextant_step_rows_sum")
        unsent = max(gauge(platform, "sextant_unsent_events"))
        time.sleep(1.0)
        after = gauge(platform, "sextant_step_rows_sum")
        call.cancel()
    assert before == after, "no step is taken for a reader that does not read"
    assert 0 < unsent <= 34, "the bound of 32, and what one step adds"
    assert wait_for(lambda: sum(gauge(platform, "sextant_slots_taken")) == 0)


def test_a_slow_reader_gets_everything_in_the_end(stubs):
    events = []
    for event in stubs.generation.Generate(probe_request(steps=200)):
        events.append(event)
        time.sleep(0.002)
    assert [event.sequence for event in events] == list(range(403))


@pytest.mark.parametrize("family", ["probe", "transformer"])
def test_a_stream_survives_the_death_of_its_replica_unbroken_and_identical(platform, stubs, family):
    if family == "probe":
        request = probe_request("sleep=0.02", steps=100)
    else:
        request = text_request("Tell me a long story.", max_tokens=120, temperature=0.8, ignore_end_of_text=True)
    model = "probe" if family == "probe" else "smollm2-135m-instruct"
    platform.wait_for_replicas(family, 2)
    whole = without_timing(list(stubs.generation.Generate(request)))
    busy_before = gauge(platform, "sextant_step_rows_sum", family, model)
    killed = threading.Event()
    events = []
    for event in stubs.generation.Generate(request, timeout=60):
        events.append(event)
        if len(events) == 30 and not killed.is_set():
            replicas = platform.replicas(family)
            busy = gauge(platform, "sextant_slots_taken", family, model)
            assert len(replicas) == len(busy) == len(busy_before) == 2
            replicas[busy.index(1.0)].send_signal(signal.SIGKILL)
            killed.set()
    assert killed.is_set()
    assert [event.sequence for event in events] == list(range(len(events)))
    assert without_timing(events) == whole
    assert events[-1].receipt.retries == 1
    platform.wait_for_replicas(family, 2)


def test_every_replica_dead_is_waited_for_within_the_deadline(platform, stubs):
    platform.wait_for_replicas("probe", 2)
    request = probe_request("sleep=0.02", steps=60)
    whole = without_timing(list(stubs.generation.Generate(request)))
    events = []
    for event in stubs.generation.Generate(request, timeout=60):
        events.append(event)
        if len(events) == 20:
            for replica in platform.replicas("probe"):
                replica.send_signal(signal.SIGKILL)
    assert without_timing(events) == whole
    platform.wait_for_replicas("probe", 2)


def test_a_full_queue_refuses_at_once_and_says_when_to_come_back(platform, stubs):
    """Two replicas with 16 slots and 64 places in the queue each hold 160 requests; 200 come."""
    platform.wait_for_replicas("probe", 2)
    calls = [stubs.generation.Generate(probe_request("sleep=0.05", steps=1000)) for _ in range(200)]

    def first(call) -> grpc.RpcError | None:
        try:
            assert next(call).WhichOneof("event") == "accepted"
        except grpc.RpcError as error:
            return error
        return None

    try:
        with ThreadPoolExecutor(200) as pool:
            refused = [error for error in pool.map(first, calls) if error is not None]
        assert 40 <= len(refused) < 200
        for error in refused:
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            details = {detail.TypeName(): detail for detail in rpc_status.from_call(error).details}
            retry = error_details_pb2.RetryInfo()
            assert details["google.rpc.RetryInfo"].Unpack(retry)
            assert retry.retry_delay.ToTimedelta().total_seconds() > 0
    finally:
        for call in calls:
            call.cancel()
    assert wait_for(lambda: sum(gauge(platform, "sextant_slots_taken")) == 0)
    assert list(stubs.generation.Generate(probe_request(steps=2)))
