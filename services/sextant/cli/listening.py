"""Where the gateways of a platform listen: addresses that are free, and what their metrics pages say."""

import socket
import urllib.error
import urllib.request
from collections import Counter
from http.client import HTTPException

from prometheus_client.parser import text_string_to_metric_families

from sextant.contract.errors import SextantError

_HIGHEST_PORT = 65535
# To this machine there is no proxy on the way, whatever the environment says.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def metrics_addresses(host: str, first_port: int, gateways: int) -> tuple[str, ...]:
    """One address for each gateway, on consecutive ports. `SextantError` where they run out."""
    if first_port + gateways - 1 > _HIGHEST_PORT:
        raise SextantError(f"--metrics-port {first_port} leaves too few ports for {gateways} gateways")
    return tuple(f"{host}:{first_port + index}" for index in range(gateways))


def check_free(addresses: tuple[str, ...]) -> None:
    """`SextantError` naming the first address that is asked for twice, taken, or not to be had here."""
    for address, wanted in Counter(addresses).items():
        if wanted > 1:
            raise SextantError(f"cannot listen on {address}: it is both the gRPC port and a metrics port")
        host, _, port = address.rpartition(":")
        try:
            with socket.create_server((host, int(port))):
                pass
        except OSError as error:
            raise SextantError(f"cannot listen on {address}: {error.strerror}") from error


def reachable(listen: str) -> str:
    """Where a client on this machine finds what listens on `listen`."""
    host, _, port = listen.rpartition(":")
    return f"127.0.0.1:{port}" if host == "0.0.0.0" else listen


def is_ready(metrics_url: str, timeout_s: float = 2.0) -> bool | None:
    """Whether the gateway with this metrics page says that every model is warm; None where there is no answer.

    Asked here rather than by gRPC: the gateways share a port, of which any may answer, and may ask for certificates.
    """
    try:
        with _opener.open(metrics_url, timeout=timeout_s) as page:
            text = page.read().decode("utf-8")
        for family in text_string_to_metric_families(text):
            if family.name == "sextant_ready":
                return any(sample.value == 1.0 for sample in family.samples)
    except (OSError, HTTPException, ValueError):
        return None
    return None
