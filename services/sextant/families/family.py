"""What a family is to the rest of Sextant, and the list of them."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol

from sextant.bundles.store import Bundle
from sextant.contract.tasks import Task
from sextant.runtime.sampler import Sampler
from sextant.runtime.session import SessionConfig


class Family(Protocol):
    """A family's serving side."""

    def load(self, bundle: Bundle, config: SessionConfig) -> Sampler[Any]:
        """The bundle as a sampler. `BundleRefused` where its network or defaults do not fit the family."""
        ...

    def warm_up(self, bundle: Bundle) -> Sequence[Task]:
        """Tasks that touch every code path once; a replica is ready when they have run."""
        ...


# One line a family: its name in manifests, and where its `FAMILY` object lives.
FAMILIES: dict[str, str] = {
    "transformer": "sextant.families.transformer:FAMILY",
    "vae": "sextant.families.vae:FAMILY",
    "gan": "sextant.families.gan:FAMILY",
    "flow": "sextant.families.flow:FAMILY",
    "diffusion": "sextant.families.diffusion:FAMILY",
    "autoregressive": "sextant.families.autoregressive:FAMILY",
}


def family_at(path: str) -> Family:
    """The family object at "package.module:NAME"."""
    module, _, name = path.partition(":")
    family: Family = getattr(import_module(module), name)
    return family
