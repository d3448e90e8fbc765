"""Ctrl-C at a time when it can do no harm.

Python raises KeyboardInterrupt wherever the main thread happens to be. Inside gRPC that may be half way through taking
or giving back a lock that its own thread waits for as well: the lock stays taken, and closing the channel waits for
ever. So inside gRPC's streams the interrupt is noted, the call is cancelled, and it is raised on the way out.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupt_after(cancel: Callable[[], object] | None = None) -> Iterator[None]:
    """A block that Ctrl-C does not leave before its end; `cancel`, called from another thread, is to end it soon.

    Raises KeyboardInterrupt after the block, whatever the block itself raised. Where Ctrl-C does not raise it, or in a
    thread that is not the main one, nothing changes.
    """
    handler = signal.getsignal(signal.SIGINT)
    if handler is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupted = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        if not interrupted and cancel is not None:
            # Not here: this thread may be holding what cancelling needs.
            threading.Thread(target=cancel, daemon=True).start()
        interrupted = True

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if interrupted:
            raise KeyboardInterrupt
