"""`python -m bench.faults.supervisor CONFIG LISTEN METRICS...`: `sextant up` with the gateways of the harness."""

import asyncio
import sys
from pathlib import Path

from sextant.cli.supervisor import Supervisor
from sextant.replicas.config import ClusterConfig

if __name__ == "__main__":
    config, listen, *metrics = sys.argv[1:]
    command = (sys.executable, "-m", "bench.faults.gateway")
    asyncio.run(
        Supervisor(ClusterConfig.load(Path(config)), listen=listen, metrics=metrics, gateway_command=command).run()
    )
