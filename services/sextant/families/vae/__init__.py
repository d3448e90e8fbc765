"""Variational autoencoders: pictures from latents, latents from pictures, and a bound on likelihoods.

Reading order: `sampler`, `encoding`, `scoring`, `pixel_likelihood` and `bounds` for the mathematics; `spatial_sampler`
for codes that keep their places; `networks`, `train`, `export` and their namesakes are the torch side.
"""

from collections.abc import Sequence
from typing import Any

from sextant.bundles.store import Bundle
from sextant.contract.tasks import Task
from sextant.runtime.sampler import Sampler
from sextant.runtime.session import SessionConfig


class VaeFamily:
    """See `families.family.Family`."""

    def load(self, bundle: Bundle, config: SessionConfig) -> Sampler[Any]:
        """The bundle as a sampler. Raises `BundleRefused`."""
        from sextant.families.vae.sampler import VaeSampler
        from sextant.families.vae.spatial_sampler import SpatialVaeSampler

        if bundle.manifest.architecture == "spatial-vae":
            return SpatialVaeSampler.load(bundle, config)
        return VaeSampler.load(bundle, config)

    def warm_up(self, bundle: Bundle) -> Sequence[Task]:
        """Tasks that touch every code path once."""
        from sextant.families.vae import sampler, spatial_sampler

        if bundle.manifest.architecture == "spatial-vae":
            return spatial_sampler.warm_up(bundle)
        return sampler.warm_up(bundle)


FAMILY = VaeFamily()
