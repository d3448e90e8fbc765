"""`sextant deploy`: bring a running cluster to a configuration, once or for as long as it runs."""

import asyncio
import logging
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from sextant.contract.errors import SextantError
from sextant.replicas.config import ClusterConfig, ConfigError
from sextant.replicas.nodes import spread

log = logging.getLogger(__name__)

_POLL_S = 0.5
_KEEP_S = 2.0


def deploy(
    address: Annotated[str, typer.Option(envvar="SEXTANT_RAY_ADDRESS", help="The cluster, host:port.")],
    config: Annotated[Path | None, typer.Option(help="What runs where; see deploy/cluster.yaml.")] = None,
    by_room: Annotated[
        bool, typer.Option("--by-room", help="As many replicas of a family as nodes have room for (`sextant node`).")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Stay, and deploy again when the file or the room has changed.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds until every family must run.")] = 300.0,
) -> None:
    """Deploy every family on a running cluster, from one of its nodes. What is as configured is left alone.

    Exit code 1 where a family does not start. With `--keep` it goes on, and says so in its log.
    """
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    from sextant.replicas import rollout  # brings Ray, which no other command needs

    rollout.join(address)
    try:
        asyncio.run(_keep(config, by_room) if keep else _once(config, by_room, timeout))
    finally:
        rollout.leave()


async def _once(path: Path | None, by_room: bool, timeout_s: float) -> None:
    from sextant.replicas import rollout

    config = _wanted(path, by_room)
    rollout.begin(config)
    end = time.monotonic() + timeout_s
    while True:
        standings = rollout.standings(config)
        failed = {family: why for family, (standing, why) in standings.items() if standing == rollout.Standing.FAILED}
        if failed:
            raise SextantError("; ".join(f"family {family} did not start: {why}" for family, why in failed.items()))
        waiting = {family: why for family, (standing, why) in standings.items() if standing != rollout.Standing.RUNNING}
        if not waiting:
            print(f"running: {', '.join(standings)}")
            return
        if time.monotonic() > end:
            told = "; ".join(f"{family} ({why or 'starting'})" for family, why in waiting.items())
            raise SextantError(f"not running after {timeout_s:.0f} s: {told}")
        await asyncio.sleep(_POLL_S)


async def _keep(path: Path | None, by_room: bool) -> None:
    """A file that cannot be used is said once and changes nothing; the cluster going away ends this."""
    from sextant.replicas import rollout

    deployed: ClusterConfig | None = None
    told: dict[str, tuple[rollout.Standing, str]] = {}
    refused = ""
    while True:
        try:
            wanted = _wanted(path, by_room)
        except ConfigError as error:
            if deployed is None:
                raise
            if str(error) != refused:
                log.error("%s; what is deployed stays", error)
            refused, wanted = str(error), deployed
        if wanted != deployed:
            log.info("deploying %s", {family: options.replicas for family, options in wanted.families.items()})
            rollout.begin(wanted)
            deployed = wanted
        standings = rollout.standings(wanted)
        for family, (standing, why) in standings.items():
            if told.get(family, ("", ""))[0] != standing:
                log.info("family %s is %s%s", family, standing, f": {why}" if why else "")
        told = standings
        await asyncio.sleep(_KEEP_S)


def _wanted(path: Path | None, by_room: bool) -> ClusterConfig:
    from sextant.replicas import rollout

    config = ClusterConfig.load(path)
    return spread(config, rollout.room()) if by_room else config
