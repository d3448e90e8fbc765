"""Ctrl-C while a stream is read."""

import signal
import threading

import grpc
import pytest

from sextant.client.collecting import Asking
from sextant.client.connection import RetryPolicy
from sextant.client.interrupts import interrupt_after
from sextant.client.sync import Client, EventStream


class Cancelled(grpc.RpcError):
    def code(self):
        return grpc.StatusCode.CANCELLED

    def details(self):
        return "cancelled"

    def trailing_metadata(self):
        return ()


class Call:
    """A call that Ctrl-C finds while it holds a lock, and that ends when it is cancelled."""

    def __init__(self):
        self.lock, self.cancelled, self.cancelled_by = threading.Lock(), threading.Event(), []

    def __next__(self):
        with self.lock:
            signal.raise_signal(signal.SIGINT)
            for _ in range(100):  # where Python would raise it
                pass
            assert not self.cancelled_by
        assert self.cancelled.wait(10)
        raise Cancelled

    def cancel(self):
        with self.lock:
            self.cancelled_by.append(threading.current_thread())
            self.cancelled.set()


def test_ctrl_c_ends_a_stream_by_cancelling_its_call_from_outside_and_leaves_no_lock_taken():
    call = Call()
    stream = EventStream(Asking(lambda message, timeout: call, None), RetryPolicy(), None)
    with pytest.raises(KeyboardInterrupt):
        stream.read()
    assert call.cancelled_by[0] is not threading.main_thread()
    assert not call.lock.locked()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_between_the_events_of_a_stream_is_raised_at_once(target):
    with Client(target) as client:
        stream = client.generate_text("sleep=0.01", model="probe", max_tokens=1000)
        with pytest.raises(KeyboardInterrupt):
            for _ in stream:
                signal.raise_signal(signal.SIGINT)
                pytest.fail("it should not come so far")


def test_a_handler_of_ones_own_is_left_in_place():
    heard = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        with interrupt_after():
            signal.raise_signal(signal.SIGINT)
        assert heard == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_nothing_changes():
    seen = []

    def run():
        with interrupt_after():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
