"""A private Ray on this machine, with one Serve application per family on it."""

import logging
import os
from typing import Any

from sextant.contract.errors import SextantError
from sextant.replicas.config import ClusterConfig
from sextant.replicas.environment import make_ray_token, set_ray_environment

set_ray_environment()

import ray  # noqa: E402 - its switches are read on import
from ray import serve  # noqa: E402

from sextant.replicas.deployment import FamilyReplica  # noqa: E402

log = logging.getLogger(__name__)

NAMESPACE = "sextant"
APP_PREFIX = "sextant-"
_OBJECT_STORE_BYTES = 100 * 2**20  # nothing large passes through it: requests and events pass Ray by


class ClusterError(SextantError):
    """The cluster could not be started; says which part, and why."""


def deployments(config: ClusterConfig) -> dict[str, serve.Application]:
    """The Serve application of each family."""
    return {family: _application(family, config) for family in config.deployed}


def _application(family: str, config: ClusterConfig) -> serve.Application:
    options = config.families[family]
    deployment = serve.deployment(
        FamilyReplica,
        name=family,
        num_replicas=options.replicas,
        max_surge_percent=options.surge_percent,
        ray_actor_options={
            "num_cpus": options.num_cpus,
            "num_gpus": options.num_gpus,
            "resources": dict(options.resources),
        },
        # Three in a row that last longer get a hanging replica replaced; gateways leave it after some ten seconds.
        health_check_period_s=5.0,
        health_check_timeout_s=10.0,
        graceful_shutdown_wait_loop_s=0.2,
        graceful_shutdown_timeout_s=30.0,
    )
    # What Serve compares: without it every deployment is a new version, which replaces all replicas.
    deployment._version = config.version(family)
    return deployment.bind(family, config.only(family))


class Cluster:
    """A running cluster. `ray_address` is what gateways connect to."""

    def __init__(self, ray_address: str) -> None:
        self.ray_address = ray_address

    @classmethod
    async def start(cls, config: ClusterConfig, *, num_gpus: int | None = None) -> "Cluster":
        """Start Ray on this machine, deploy every family, and return when all replicas are warm.

        `num_gpus` overrides how many GPUs Ray believes to have. Raises `ClusterError`.
        """
        make_ray_token()
        running = [config.families[name] for name in config.deployed]
        needed = sum(family.replicas * family.num_cpus for family in running)
        ray.init(
            namespace=NAMESPACE,
            include_dashboard=False,
            num_cpus=max(os.cpu_count() or 1, int(needed) + 1),
            num_gpus=num_gpus,
            object_store_memory=_OBJECT_STORE_BYTES,
            log_to_driver=False,
            logging_level=logging.WARNING,
        )
        cluster = cls(ray.get_runtime_context().gcs_address)
        try:
            await cluster.deploy(config)
        except BaseException:
            await cluster.stop()
            raise
        return cluster

    async def deploy(self, config: ClusterConfig) -> None:
        """Deploy every family, or bring those that run to `config`. Raises `ClusterError`."""
        serve.start(proxy_location="Disabled")
        for family, application in deployments(config).items():
            try:
                serve.run(application, name=APP_PREFIX + family, route_prefix=None)
            except Exception as error:
                raise ClusterError(f"family {family} did not start: {_why(APP_PREFIX + family, error)}") from error
            log.info("family %s is warm", family)

    async def stop(self) -> None:
        """Stop all that `start` started."""
        await serve.shutdown_async()
        ray.shutdown()


def _why(application: str, error: Exception) -> str:
    """The sentence that matters in Serve's account of a failed start."""
    status: Any = serve.status().applications.get(application)
    return reason(status, str(error))


def reason(status: Any, told: str = "") -> str:
    """Of an application's status and what was told besides, our own error where there is one, else the last line."""
    texts = [told] if status is None else [status.message, *(d.message for d in status.deployments.values()), told]
    for text in texts:
        for line in text.splitlines():
            if "sextant.contract.errors." in line:
                return line.split("sextant.contract.errors.", 1)[1].strip()
    lines = [line for text in texts for line in text.strip().splitlines()]
    return lines[-1] if lines else ""
