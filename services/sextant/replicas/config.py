"""What runs where: the cluster's configuration, as operators write it (deploy/cluster.yaml)."""

import hashlib
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

import sextant
from sextant.bundles.manifest import HYBRID
from sextant.bundles.store import SHIPPED_DIRECTORY
from sextant.bundles.verify import MANIFEST_NAME, read_manifest
from sextant.contract.errors import SextantError
from sextant.families.family import FAMILIES
from sextant.runtime.session import SessionConfig


class ConfigError(SextantError):
    """The cluster's configuration cannot be used; says where and why."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FamilyConfig(_Strict):
    """One Serve deployment: which bundles it hosts, in how many replicas, on what."""

    models: tuple[str, ...] = Field(min_length=1)
    # Where the family's object lives, "package.module:NAME"; only for families from outside Sextant.
    implementation: str | None = None
    # Hybrids: whether their stages' models are loaded in replicas of their own, in one process, or are those of the
    # other families' replicas, each asked by the gateway. The bytes are the same.
    co_located: bool = False
    replicas: int = Field(default=1, ge=1, le=256)
    # Replicas that a change may start beyond `replicas` before it stops old ones, in percent of them. They need room:
    # where there is none (a worker container has room for one replica), the change would wait for ever. With 0 old ones
    # go first, and with a single replica requests wait until the new one is warm.
    surge_percent: int = Field(default=0, ge=0, le=100)
    # Ray's logical resources for each replica. A fraction of a GPU shares it, but does not isolate its memory.
    num_cpus: float = Field(default=1.0, ge=0)
    num_gpus: float = Field(default=0.0, ge=0)
    # Ray's custom resources, which nodes offer by `ray start --resources`: where each replica may be placed.
    resources: dict[str, float] = Field(default_factory=dict)
    # Anything; another value replaces the replicas, one after the other, though nothing else has changed.
    revision: str = ""
    # ONNX Runtime providers in order of preference. "cuda" alone must be had; "cuda, cpu" may fall back.
    providers: tuple[Literal["cuda", "cpu"], ...] = Field(default=("cpu",), min_length=1)
    # Cap of each session's CUDA arena.
    gpu_memory_limit_mb: int | None = Field(default=None, ge=64)
    # Threads of each network call; 0 takes all cores.
    intra_op_threads: int = Field(default=0, ge=0, le=1024)
    # Items that may wait for a slot, per model and replica; beyond that requests are refused with a time to retry.
    max_queue: int = Field(default=128, ge=1)
    # Events that a replica may hold for a reader that does not read.
    max_unsent_events: int = Field(default=256, ge=2)
    # Events of a stream that come within this time of the last ones leave together; the first and the last at once.
    stream_pace_ms: float = Field(default=40.0, ge=0, le=1000)

    @model_validator(mode="after")
    def _gpus_and_providers_agree(self) -> Self:
        if "cuda" in self.providers and self.num_gpus == 0:
            raise ValueError("the cuda provider needs num_gpus above 0, or Ray pins no GPU to the replica")
        if self.num_gpus > 0 and "cuda" not in self.providers:
            raise ValueError("num_gpus is above 0 but the cuda provider is not listed: the GPU would lie idle")
        if self.num_gpus > 1 and self.num_gpus != int(self.num_gpus):
            raise ValueError("num_gpus above 1 must be whole")
        return self

    def session_config(self) -> SessionConfig:
        """How this deployment's networks run."""
        limit = None if self.gpu_memory_limit_mb is None else self.gpu_memory_limit_mb * 2**20
        return SessionConfig(self.providers, limit, self.intra_op_threads)


# Threads of a family's network calls where all cores are no help; why is in deploy/cluster.yaml.
THREADS = {"autoregressive": 1, "flow": 1, "gan": 1, "vae": 1}


def default_families() -> dict[str, FamilyConfig]:
    """The text models that are pulled, and every model that ships in the package."""
    shipped: dict[str, list[str]] = {"transformer": ["smollm2-135m-instruct", "minilm-l6-v2"]}
    for path in sorted(SHIPPED_DIRECTORY.glob(f"*/{MANIFEST_NAME}")):
        manifest = read_manifest(path.parent)
        shipped.setdefault(manifest.family, []).append(manifest.name)
    return {
        family: FamilyConfig(models=tuple(models), intra_op_threads=THREADS.get(family, 0))
        for family, models in sorted(shipped.items())
    }


class ClusterConfig(_Strict):
    """All deployments, by family."""

    families: dict[str, FamilyConfig] = Field(default_factory=default_families, min_length=1)
    # Directories of bundles besides the shipped ones and the cache.
    bundle_directories: tuple[Path, ...] = ()
    # First port on which replicas offer their figures to Prometheus; each takes the next free one of 64.
    replica_metrics_port: int = Field(default=9500, ge=1024, le=65471)
    replica_metrics_host: str = "127.0.0.1"
    # Where replicas take requests from gateways: on the loopback interface, or at the address by which Ray knows their
    # node, for gateways on other nodes. The port is free and told by way of Ray Serve, and so is the key to it.
    replica_listen: Literal["loopback", "node"] = "loopback"

    @model_validator(mode="after")
    def _families_are_known(self) -> Self:
        for name, family in self.families.items():
            if family.implementation is None and name not in {*FAMILIES, HYBRID}:
                raise ValueError(f"family {name!r} is unknown and names no implementation; known: {sorted(FAMILIES)}")
            if family.co_located and name != HYBRID:
                raise ValueError(f"family {name!r} cannot be co_located: only hybrids have stages")
        return self

    @property
    def deployed(self) -> tuple[str, ...]:
        """The families that have replicas: all but hybrids whose stages are other families' models."""
        return tuple(name for name, family in self.families.items() if name != HYBRID or family.co_located)

    @property
    def distributed_hybrids(self) -> tuple[str, ...]:
        """The hybrids that gateways run."""
        return () if HYBRID in self.deployed or HYBRID not in self.families else self.families[HYBRID].models

    def implementation(self, family: str) -> str:
        """Where the object of `family` lives."""
        return self.families[family].implementation or (HYBRID if family == HYBRID else FAMILIES[family])

    def only(self, family: str) -> "ClusterConfig":
        """This configuration without the other families."""
        return self.model_copy(update={"families": {family: self.families[family]}})

    def version(self, family: str) -> str:
        """What identifies a replica of `family`: it changes with all that one depends on, not with their number."""
        told = self.only(family).model_dump_json(exclude={"families": {family: {"replicas", "surge_percent"}}})
        return hashlib.sha256(f"{sextant.__version__} {told}".encode()).hexdigest()[:16]

    @classmethod
    def load(cls, path: Path | None) -> "ClusterConfig":
        """The configuration in the YAML file at `path`; the defaults where it is None. Raises `ConfigError`."""
        if path is None:
            return cls()
        try:
            return cls.model_validate(yaml.safe_load(path.read_text()) or {})
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from error
        except yaml.YAMLError as error:
            raise ConfigError(f"{path}: {error}") from error
        except ValidationError as error:
            lines = [f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()]
            raise ConfigError(f"{path}: " + "; ".join(lines)) from error
