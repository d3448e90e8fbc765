"""Autoregressive models: each value drawn given all before it, so likelihoods are exact.

Reading order: `drawing`; `pixel_config` and `pixel_sampler` (PixelCNN); `mu_law`, `wave_config` and `wave_sampler`
(WaveNet). The files that end in `networks`, `train` and `export` are the torch side.
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
        from sextant.families.autoregressive.wave_sampler import WaveNetSampler

        kind = WaveNetSampler if bundle.manifest.architecture == "wavenet" else PixelCnnSampler
        return kind.load(bundle, config)

    def warm_up(self, bundle: Bundle) -> Sequence[Task]:
        """Tasks that touch every code path once."""
        from sextant.families.autoregressive import pixel_sampler, wave_sampler

        if bundle.manifest.architecture == "wavenet":
            return wave_sampler.warm_up(bundle)
        return pixel_sampler.warm_up(bundle)


FAMILY = AutoregressiveFamily()
