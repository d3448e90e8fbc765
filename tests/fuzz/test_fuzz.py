"""Nothing that a caller sends makes a gateway crash, hang, leak or blame itself. `python -m tests.fuzz` sends more."""

from itertools import islice

import pytest

from sextant.bundles.store import BundleStore
from tests.fuzz.corpus import MODELS, seeds
from tests.fuzz.driver import answers, resident_mb, send_frames, send_mutants
from tests.fuzz.frames import Attacks
from tests.fuzz.mutations import Mutator
from tests.gateway.scripted import serving
from tests.hybrids.local import hosts


def test_the_same_seed_draws_the_same_requests():
    first, again, other = (list(islice(Mutator(seeds(), seed), 50)) for seed in (1, 1, 2))
    assert first == again != other


async def test_some_hundred_mutants_and_broken_connections_leave_a_gateway_as_it_was():
    models = {family: MODELS[family] for family in ("gan", "vae", "flow", "transformer")}
    async with hosts(BundleStore.default(), models) as dispatcher, serving(dispatcher) as (_, gateway):
        target = f"127.0.0.1:{gateway.port}"
        report = await send_mutants(target, iter(Mutator(seeds(), 1)), 400, at_once=8)
        assert not report.defects, report.defects
        assert report.codes["OK"] > 20, "some of them are valid"
        assert report.codes["INVALID_ARGUMENT"] > 100, "and many are not"
        report = await send_frames(target, Attacks(1), 100)
        assert not report.defects, report.defects
        assert await answers(target)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_thousands_of_them_leave_a_platform_as_it_was(platform):
    platform.wait_for_replicas("transformer", 2)
    families = ("transformer", "gan", "vae", "flow", "diffusion", "autoregressive")
    processes = [*platform.gateways(), *(replica for family in families for replica in platform.replicas(family))]
    mutator = iter(Mutator(seeds(), 2))
    report = await send_mutants(platform.target, mutator, 1000)
    before = resident_mb(processes)
    later = await send_mutants(platform.target, mutator, 4000)
    assert not [*report.defects, *later.defects]
    frames = await send_frames(platform.target, Attacks(2), 500)
    assert not frames.defects, frames.defects
    assert await answers(platform.target)
    grown = [now - was for was, now in zip(before, resident_mb(processes), strict=True)]
    assert max(grown) < 400, "MB, in one process; a picture of the largest size alone takes 50"
