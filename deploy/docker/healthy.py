#!/usr/bin/python3
"""Exit code 0 while this container does its part: a gateway says that every model is warm, a Ray node answers.

Only the standard library, since it runs every few seconds.
"""

import os
import socket
import sys
import urllib.request

_NODE_PORT = 6380


def gateway_is_ready(listen: str) -> bool:
    """Whether the gateway with this metrics address is ready."""
    port = listen.rpartition(":")[2]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
        return b"\nsextant_ready 1.0" in page.read()


def node_answers() -> bool:
    """Whether this container's Ray node takes connections."""
    with socket.create_connection((socket.gethostbyname(socket.gethostname()), _NODE_PORT), timeout=5):
        return True


try:
    listen = os.environ.get("SEXTANT_METRICS_LISTEN")
    healthy = gateway_is_ready(listen) if listen else node_answers()
except OSError as error:
    print(error)
    healthy = False
sys.exit(0 if healthy else 1)
