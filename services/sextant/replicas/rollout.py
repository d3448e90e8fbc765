"""Bringing a running cluster to a configuration: all families at once, touching none that is as it should be."""

import logging
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from sextant.replicas.config import ClusterConfig
from sextant.replicas.environment import set_ray_environment

set_ray_environment()

import ray  # noqa: E402 - its switches are read on import
from ray import serve  # noqa: E402
from ray.serve.schema import ApplicationStatus  # noqa: E402

from sextant.replicas.cluster import APP_PREFIX, NAMESPACE, ClusterError, deployments, reason  # noqa: E402

log = logging.getLogger(__name__)


class Standing(StrEnum):
    """How a family stands."""

    RUNNING = "running"
    STARTING = "starting"
    FAILED = "failed"


def join(address: str) -> None:
    """Join the cluster at "host:port" from one of its nodes. Raises `ClusterError`."""
    try:
        ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.WARNING)
    except ConnectionError as error:
        raise ClusterError(f"no cluster at {address}: {error}") from error


def leave() -> None:
    """Leave the cluster; it runs on."""
    ray.shutdown()


def room() -> Mapping[str, float]:
    """The resources of all nodes that live."""
    resources: Mapping[str, float] = ray.cluster_resources()
    return resources


def begin(config: ClusterConfig) -> None:
    """Tell Serve what shall run; replicas of another version are replaced one after the other. Returns at once."""
    serve.start(proxy_location="Disabled")
    for name in serve.status().applications:
        if name.startswith(APP_PREFIX) and name.removeprefix(APP_PREFIX) not in config.deployed:
            log.info("%s is no longer wanted", name)
            serve.delete(name, _blocking=False)
    serve.run_many(
        [
            serve.RunTarget(application, name=APP_PREFIX + family, route_prefix=None)
            for family, application in deployments(config).items()
        ],
        wait_for_ingress_deployment_creation=False,
        wait_for_applications_running=False,
    )


def standings(config: ClusterConfig) -> dict[str, tuple[Standing, str]]:
    """How each family stands, and for one that is not running why."""
    applications: Mapping[str, Any] = serve.status().applications
    found = {}
    for family in config.deployed:
        status = applications.get(APP_PREFIX + family)
        if status is None:
            found[family] = (Standing.STARTING, "")
        elif status.status == ApplicationStatus.RUNNING:
            found[family] = (Standing.RUNNING, "")
        elif status.status in (ApplicationStatus.DEPLOY_FAILED, ApplicationStatus.UNHEALTHY):
            found[family] = (Standing.FAILED, reason(status))
        else:
            found[family] = (Standing.STARTING, reason(status))
    return found
