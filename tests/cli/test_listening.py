"""Addresses of gateways, and what their metrics pages say."""

import socket

import pytest
from prometheus_client import CollectorRegistry, Gauge, start_http_server

from sextant.cli.listening import check_free, is_ready, metrics_addresses, reachable
from sextant.contract.errors import SextantError
from tests.conftest import free_port


def test_a_taken_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SextantError, match=f"cannot listen on {address}: Address already in use"):
            check_free((f"127.0.0.1:{free_port()}", address))


def test_a_port_asked_for_twice_is_named():
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(SextantError, match="both the gRPC port and a metrics port"):
        check_free((address, address))


def test_metrics_ports_that_run_out_are_told_by_the_option():
    assert metrics_addresses("h", 65535, 1) == ("h:65535",)
    with pytest.raises(SextantError, match="--metrics-port 65535"):
        metrics_addresses("h", 65535, 2)


def test_every_interface_is_reached_on_the_loopback_one():
    assert reachable("0.0.0.0:50051") == "127.0.0.1:50051"
    assert reachable("192.0.2.1:50051") == "192.0.2.1:50051"


def test_readiness_is_read_from_the_metrics_page(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    registry, port = CollectorRegistry(), free_port()
    ready = Gauge("sextant_ready", "1 when ready.", registry=registry)
    server, thread = start_http_server(port, addr="127.0.0.1", registry=registry)
    url = f"http://127.0.0.1:{port}/metrics"
    try:
        assert is_ready(url) is False
        ready.set(1)
        assert is_ready(url) is True
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert is_ready(url) is None
