"""Diffusion: pictures from noise, a little of it taken away at each step.

Reading order: `schedule`, `prediction` and `course` for the mathematics that all share; `ddpm`, `ddim`, `euler`,
`dpm_solver` and `flow_euler`, one rule each; `denoising` and `bound` for a request's way; `sampler`. `networks`,
`train` and `export` are the torch side.
"""

from collections.abc import Sequence
from typing import Any

from sextant.bundles.store import Bundle
from sextant.contract.tasks import Task
from sextant.runtime.sampler import Sampler
from sextant.runtime.session import SessionConfig


class DiffusionFamily:
    """See `families.family.Family`."""

    def load(self, bundle: Bundle, config: SessionConfig) -> Sampler[Any]:
        """The bundle as a sampler. Raises `BundleRefused`."""
        from sextant.families.diffusion.sampler import DiffusionImageSampler

        return DiffusionImageSampler.load(bundle, config)

    def warm_up(self, bundle: Bundle) -> Sequence[Task]:
        """Tasks that touch every code path once."""
        from sextant.families.diffusion.sampler import warm_up

        return warm_up(bundle)


FAMILY = DiffusionFamily()
