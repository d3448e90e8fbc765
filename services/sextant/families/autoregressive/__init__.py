"""Autoregressive models: each value drawn given all before it, so likelihoods are exact.

Reading order: `drawing`, then `pixel_config` and `pixel_sampler` (PixelCNN). `pixel_networks`, `pixel_train` and
`pixel_export` are the torch side.
"""

from collections.abc import Sequence
from typing import Any

from sextant.bundles.store import Bundle
from sextant.contract.tasks import Task
from sextant.runtime.sampler import Sampler
from sextant.runtime.session import SessionConfig


class AutoregressiveFamily:
    """See `families.family.Family`."""

    def load(self, bundle: Bundle, config: SessionConfig) -> Sampler[Any]:
        """The bundle as a sampler. Raises `BundleRefused`."""
        from sextant.families.autoregressive.pixel_sampler import PixelCnnSampler

        return PixelCnnSampler.load(bundle, config)

    def warm_up(self, bundle: Bundle) -> Sequence[Task]:
        """Tasks that touch every code path once."""
        from sextant.families.autoregressive.pixel_sampler import warm_up

        return warm_up(bundle)


FAMILY = AutoregressiveFamily()
