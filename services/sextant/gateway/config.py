"""Everything that can be set of a gateway, from the environment; the names are the fields with SEXTANT_ in front."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sextant.contract.errors import SextantError

_PREFIX = "SEXTANT_"


class GatewayConfigError(SextantError):
    """An environment variable has a value that cannot be used."""


class GatewayConfig(BaseModel):
    """A gateway's settings."""

    model_config = ConfigDict(frozen=True)

    # Where gRPC is served; several gateways may share a port.
    listen: str = Field(default="127.0.0.1:50051", pattern=r"^(unix:.+|.+:\d{1,5})$")
    # Where Prometheus finds the metrics; one port per gateway.
    metrics_listen: str = Field(default="127.0.0.1:9464", pattern=r"^.+:\d{1,5}$")
    # The Ray cluster, "host:port".
    ray_address: str = ""
    # The largest request, in bytes.
    max_message_bytes: int = Field(default=32 * 2**20, ge=1024)
    # How many calls one connection may have open.
    max_concurrent_streams: int = Field(default=1000, ge=1)
    # Hybrids that this gateway runs, over the models of the cluster: names with commas between.
    hybrids: str = ""
    # How long running calls may take to finish once the gateway is told to stop, in seconds.
    drain_seconds: float = Field(default=30.0, ge=0, allow_inf_nan=False)
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    # Lines for people, or a JSON object a line.
    log_format: Literal["plain", "json"] = "plain"
    # Where traces go: an OTLP collector over gRPC, "http://host:4317"; none if not given. And which share of those that
    # begin here: what a caller traces already is traced here, or not, as the caller says.
    otlp_endpoint: str = Field(default="", pattern=r"^(https?://.+)?$")
    trace_ratio: float = Field(default=1.0, ge=0, le=1)
    # TLS, if given: PEM files. With a client CA, callers must show a certificate that it signed.
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    # The file of API keys, if callers must show one.
    keys: Path | None = None
    # Whether health needs a key with its scope, where there are keys.
    health: Literal["open", "scope"] = "open"
    # The same of reflection, or none of it at all.
    reflection: Literal["open", "scope", "off"] = "scope"

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise ValueError("tls_client_ca needs tls_certificate and tls_key")
        return self

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "GatewayConfig":
        """The settings of this process. Raises `GatewayConfigError` naming each variable that is wrong."""
        given = {
            name: environment[_PREFIX + name.upper()]
            for name in cls.model_fields
            if environment.get(_PREFIX + name.upper())
        }
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            faults = (f"{_PREFIX}{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
            raise GatewayConfigError("; ".join(faults)) from error
