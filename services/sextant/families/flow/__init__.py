"""Flows: data and latents in one-to-one correspondence, with exact likelihoods.

Reading order: `sampler`, `flow_state`, `tables` and `pictures`, `attributes`; `networks`, `train` and `export` are the
torch side.
"""

from collections.abc import Sequence
from typing import Any

from sextant.bundles.store import Bundle
from sextant.contract.tasks import Task
from sextant.runtime.sampler import Sampler
from sextant.runtime.session import SessionConfig


class FlowFamily:
    """See `families.family.Family`."""

    def load(self, bundle: Bundle, config: SessionConfig) -> Sampler[Any]:
        """The bundle as a sampler. Raises `BundleRefused`."""
        from sextant.families.flow.sampler import FlowSampler

        return FlowSampler.load(bundle, config)

    def warm_up(self, bundle: Bundle) -> Sequence[Task]:
        """Tasks that touch every code path once."""
        from sextant.families.flow.sampler import warm_up

        return warm_up(bundle)


FAMILY = FlowFamily()
