"""`python -m tests.fuzz.server`: a gateway over models in its own process, to be fuzzed without a cluster."""

import asyncio
import logging
import sys

import uvloop

from sextant.bundles.store import BundleStore
from tests.fuzz.corpus import MODELS
from tests.gateway.scripted import serving
from tests.hybrids.local import hosts


async def main() -> None:
    """Print the port, and serve until standard input ends."""
    settings = {"max_queue": 64, "intra_op_threads": 1}
    async with hosts(BundleStore.default(), MODELS, **settings) as dispatcher, serving(dispatcher) as (_, gateway):
        print(gateway.port, flush=True)
        await asyncio.to_thread(sys.stdin.read)


logging.basicConfig(level=logging.ERROR)
uvloop.run(main())
