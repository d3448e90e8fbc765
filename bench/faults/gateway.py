"""`python -m bench.faults.gateway`: a gateway whose links to replicas go through the harness's proxy."""

import os
import sys

from bench.faults.proxy import stand_in
from sextant.gateway import replica
from sextant.gateway.__main__ import main
from sextant.replicas.link import Link, reach


async def _reach(host: str, port: int, key: bytes) -> Link:
    return await reach("127.0.0.1", await stand_in(int(os.environ["FAULTS_PROXY_PORT"]), host, port), key)


if __name__ == "__main__":
    replica.reach = _reach
    sys.exit(main())
