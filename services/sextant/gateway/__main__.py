"""`python -m sextant.gateway`: one gateway, from its environment, until it is told to stop."""

import asyncio
import signal
import sys

import uvloop

from sextant.bundles.store import BundleStore
from sextant.contract.errors import SextantError
from sextant.gateway.config import GatewayConfig, GatewayConfigError
from sextant.gateway.guide.keeper import GuideKeeper
from sextant.gateway.guide.schema import default_guide_path
from sextant.gateway.hybrid_dispatch import HybridDispatcher
from sextant.gateway.logs import set_up_logging
from sextant.gateway.metrics import serve_metrics
from sextant.gateway.server import Gateway
from sextant.hybrids.offer import HybridBundles
from sextant.replicas.tracing import start_tracing, stop_tracing


async def run(config: GatewayConfig) -> None:
    """Serve until SIGTERM or SIGINT, then drain. Raises `SextantError` or OSError where it cannot start."""
    if not config.ray_address:
        raise GatewayConfigError("SEXTANT_RAY_ADDRESS: is required, the cluster's host:port")
    from sextant.gateway.ray_dispatch import RayDispatcher

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    keeper = GuideKeeper(default_guide_path())
    serve_metrics(config.metrics_listen)
    if config.otlp_endpoint:
        start_tracing("sextant-gateway", config.otlp_endpoint, config.trace_ratio)
    hybrids = HybridBundles(BundleStore.default(), tuple(name for name in config.hybrids.split(",") if name))
    dispatcher = await RayDispatcher.connect(config.ray_address)
    gateway = Gateway(HybridDispatcher(dispatcher, hybrids), keeper, config)
    await gateway.start()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stopping.set)
    await stopping.wait()
    await gateway.drain()
    await dispatcher.close()
    await asyncio.to_thread(stop_tracing)


def main() -> int:
    """Exit code 0 after a drain, 1 where the gateway cannot start."""
    try:
        config = GatewayConfig.from_environment()
        set_up_logging(config.log_level, config.log_format)
        # A third less CPU for each event than asyncio's own loop; replicas run on it too.
        uvloop.run(run(config))
    except (SextantError, OSError) as error:
        print(f"sextant gateway: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
