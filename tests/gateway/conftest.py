"""A real gateway on a loopback port, over a host in this process."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import grpc
import pytest

from sextant.bundles.store import BundleStore
from sextant.gateway.config import GatewayConfig
from sextant.gateway.guide.keeper import GuideKeeper
from sextant.gateway.guide.schema import default_guide_path
from sextant.gateway.local_dispatch import LocalDispatcher
from sextant.gateway.server import Gateway
from sextant.replicas.config import FamilyConfig
from sextant.replicas.host import ModelHost
from sextant.replicas.served import ServedModel
from tests.probe import write_probe_bundle


class SwitchedDispatcher(LocalDispatcher):
    """A local dispatcher that a test can make unready."""

    is_ready = True

    def ready(self) -> bool:
        return self.is_ready

    def models(self) -> Mapping[str, ServedModel]:
        return super().models() if self.is_ready else {}


@pytest.fixture
async def dispatcher(tmp_path: Path) -> AsyncIterator[SwitchedDispatcher]:
    write_probe_bundle(tmp_path)
    config = FamilyConfig(models=("probe",), max_queue=8)
    host = await ModelHost.load("tests.probe:FAMILY", config, BundleStore([tmp_path]))
    yield SwitchedDispatcher(host)
    await host.drain(1.0)


async def start_gateway(
    dispatcher: LocalDispatcher, listen: str = "127.0.0.1:0", guide: Path | None = None, **settings
) -> Gateway:
    config = GatewayConfig(listen=listen, drain_seconds=settings.pop("drain_seconds", 5.0), **settings)
    gateway = Gateway(dispatcher, GuideKeeper(guide or default_guide_path()), config)
    await gateway.start()
    return gateway


@pytest.fixture
async def gateway(dispatcher: SwitchedDispatcher) -> AsyncIterator[Gateway]:
    gateway = await start_gateway(dispatcher, max_message_bytes=100_000)
    yield gateway
    await gateway.drain()


@pytest.fixture
async def channel(gateway: Gateway) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
        yield channel
