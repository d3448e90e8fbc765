"""Generative adversarial networks: pictures in one call, paths between them, translation between styles.

Reading order: `sampler`, `families.decoding` and `styles` (a call or two), `translation`, `inversion` (many calls),
`truncation` for the mathematics; `vq_sampler` for codes of pictures; `networks`, `train` and `export` with those named
after a kind of GAN are the torch side.
"""

from collections.abc import Sequence
from typing import Any

from sextant.bundles.store import Bundle
from sextant.contract.errors import BundleRefused
from sextant.contract.tasks import Task
from sextant.runtime.sampler import Sampler
from sextant.runtime.session import SessionConfig

GENERATORS = frozenset({"dcgan", "progan", "biggan"})


class GanFamily:
    """See `families.family.Family`."""

    def load(self, bundle: Bundle, config: SessionConfig) -> Sampler[Any]:
        """The bundle as a sampler. Raises `BundleRefused`."""
        architecture = bundle.manifest.architecture
        if architecture in GENERATORS:
            from sextant.families.gan.sampler import GeneratorSampler

            return GeneratorSampler.load(bundle, config)
        if architecture == "stylegan":
            from sextant.families.gan.style_sampler import StyleSampler

            return StyleSampler.load(bundle, config)
        if architecture == "cyclegan":
            from sextant.families.gan.translation import TranslationSampler

            return TranslationSampler.load(bundle, config)
        if architecture == "vqgan":
            from sextant.families.gan.vq_sampler import VqSampler

            return VqSampler.load(bundle, config)
        known = ", ".join(sorted(GENERATORS | {"stylegan", "cyclegan", "vqgan"}))
        raise BundleRefused(bundle.manifest.name, f"GANs of architecture {architecture!r} are unknown; known: {known}")

    def warm_up(self, bundle: Bundle) -> Sequence[Task]:
        """Tasks that touch every code path once."""
        from sextant.families.gan import config, vq_sampler

        if bundle.manifest.architecture == "vqgan":
            return vq_sampler.warm_up(bundle)
        return config.warm_up(bundle)


FAMILY = GanFamily()
