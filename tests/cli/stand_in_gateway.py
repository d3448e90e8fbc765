"""Stands in for `sextant.gateway` under the supervisor: a metrics page that says ready, until it is told to stop.

Its first argument is a directory: each start leaves a file "started-PID" there, each orderly end "stopped-PID". A
file "broken" in it makes it fail at once.
"""

import os
import signal
import sys
import threading
from pathlib import Path

from prometheus_client import Gauge, start_http_server

place = Path(sys.argv[1])
if (place / "broken").exists():
    sys.exit("the guide is broken")
told = threading.Event()
signal.signal(signal.SIGTERM, lambda number, frame: told.set())
host, _, port = os.environ["SEXTANT_METRICS_LISTEN"].rpartition(":")
start_http_server(int(port), addr=host)
Gauge("sextant_ready", "1 when ready.").set(1)
(place / f"started-{os.getpid()}").write_text(os.environ["SEXTANT_RAY_ADDRESS"])
told.wait()
(place / f"stopped-{os.getpid()}").touch()
