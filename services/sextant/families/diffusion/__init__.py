"""Diffusion: pictures and music from noise, a little of it taken away at each step.

Reading order: `schedule`, `prediction` and `course` for the mathematics that all share; `ddpm`, `ddim`, `euler`,
`dpm_solver` and `flow_euler`, one rule each; `denoising` and `bound` for a request's way; `denoiser` for what samplers
share, `sampler` for pictures; `conditioned_config` and `conditioned_sampler` for what is told embeddings. Music:
`keys`, `piano_roll`, `midi`, `music_sampler`. `networks`, `train`, `export` and their namesakes are the torch side.
"""

from collections.abc import Sequence
from typing import Any

from sextant.bundles.store import Bundle
from sextant.contract.errors import BundleRefused
from sextant.contract.tasks import Task
from sextant.runtime.sampler import Sampler
from sextant.runtime.session import SessionConfig


class DiffusionFamily:
    """See `families.family.Family`."""

    def load(self, bundle: Bundle, config: SessionConfig) -> Sampler[Any]:
        """The bundle as a sampler. Raises `BundleRefused`."""
        from sextant.families.diffusion.conditioned_sampler import ConditionedSampler
        from sextant.families.diffusion.music_sampler import DiffusionMusicSampler
        from sextant.families.diffusion.sampler import DiffusionImageSampler

        match bundle.manifest.architecture:
            case "unet":
                return DiffusionImageSampler.load(bundle, config)
            case "roll-unet":
                return DiffusionMusicSampler.load(bundle, config)
            case "conditioned-unet" | "prior":
                return ConditionedSampler.load(bundle, config)
        raise BundleRefused(bundle.manifest.name, f"no diffusion architecture is called {bundle.manifest.architecture}")

    def warm_up(self, bundle: Bundle) -> Sequence[Task]:
        """Tasks that touch every code path once."""
        from sextant.families.diffusion import conditioned_sampler, music_sampler, sampler

        match bundle.manifest.architecture:
            case "roll-unet":
                return music_sampler.warm_up(bundle)
            case "conditioned-unet" | "prior":
                return conditioned_sampler.warm_up(bundle)
        return sampler.warm_up(bundle)


FAMILY = DiffusionFamily()
