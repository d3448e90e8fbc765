"""A family's Serve application from plain data, for whoever deploys by Serve's own configuration (deploy/kuberay)."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from ray.serve import Application

from sextant.replicas.cluster import deployments
from sextant.replicas.config import ClusterConfig, ConfigError


def application(arguments: Mapping[str, Any]) -> Application:
    """The application of the one family in `arguments`, which are a cluster's configuration. Raises `ConfigError`."""
    try:
        config = ClusterConfig.model_validate(arguments)
    except ValidationError as error:
        raise ConfigError(str(error)) from error
    if len(config.families) != 1:
        raise ConfigError(f"an application is one family, not {len(config.families)}")
    (built,) = deployments(config).values()
    return built
