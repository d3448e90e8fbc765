"""A gateway in a thread of its own, for clients that block."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sextant.bundles.store import BundleStore
from sextant.gateway.local_dispatch import LocalDispatcher
from sextant.replicas.config import FamilyConfig
from sextant.replicas.host import ModelHost
from tests.gateway.conftest import start_gateway
from tests.probe import write_probe_bundle


@contextmanager
def serving(family: str, model: str, directory: Path) -> Iterator[str]:
    """Where a gateway listens that serves one model; it has 8 places in its queue."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start():
        config = FamilyConfig(models=(model,), max_queue=8)
        host = await ModelHost.load(family, config, BundleStore([directory]))
        return host, await start_gateway(LocalDispatcher(host), drain_seconds=1.0)

    host, gateway = asyncio.run_coroutine_threadsafe(start(), loop).result(30)
    yield f"127.0.0.1:{gateway.port}"
    asyncio.run_coroutine_threadsafe(gateway.drain(), loop).result(30)
    asyncio.run_coroutine_threadsafe(host.drain(1.0), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)


@pytest.fixture(scope="package")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway that serves the probe, with its 16 slots."""
    directory = tmp_path_factory.mktemp("bundles")
    write_probe_bundle(directory)
    with serving("tests.probe:FAMILY", "probe", directory) as address:
        yield address
