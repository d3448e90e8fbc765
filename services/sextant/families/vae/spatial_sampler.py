"""A VAE whose code keeps the picture's places: what latent diffusion works in (Rombach et al. 2022, section 3.1).

Encode and Decode take a step each. There is no Generate, for the prior of its codes is another model's to learn.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import ValidationError

from sextant.bundles.manifest import Manifest
from sextant.bundles.store import Bundle
from sextant.bundles.verify import explain
from sextant.contract.errors import BundleRefused, UnsupportedTask
from sextant.contract.media import Image, Latent
from sextant.contract.tasks import Task, TaskKind
from sextant.families.decoding import Decoding
from sextant.families.labels import read_class
from sextant.families.latents import read_latent
from sextant.families.pixels import read_pixels
from sextant.families.row_network import RowNetwork
from sextant.families.row_states import RowSampler, open_network
from sextant.families.unread import refuse_unread
from sextant.families.vae.encoding import ENCODER, Encoding
from sextant.families.vae.scoring import DECODER
from sextant.families.vae.spatial_config import SpatialDefaults, SpatialNetworkConfig
from sextant.runtime.rng import RequestRng
from sextant.runtime.sampler import Cost, Limits
from sextant.runtime.session import SessionConfig

_SLOTS = 64


class SpatialVaeSampler(RowSampler):
    """See `runtime.sampler.Sampler`."""

    def __init__(
        self,
        manifest: Manifest,
        networks: Mapping[str, RowNetwork],
        config: SpatialNetworkConfig,
        defaults: SpatialDefaults,
    ) -> None:
        self._name, self._tasks = manifest.name, manifest.tasks
        self._networks, self._config = networks, config
        self.limits = Limits(rows_per_step=defaults.rows_per_step, slots=_SLOTS)

    @classmethod
    def load(cls, bundle: Bundle, session_config: SessionConfig) -> "SpatialVaeSampler":
        """The VAE in a bundle. Raises `BundleRefused` where its manifest does not fit its networks."""
        manifest = bundle.manifest
        try:
            config = SpatialNetworkConfig.model_validate(manifest.network)
            defaults = SpatialDefaults.model_validate(manifest.defaults)
        except ValidationError as error:
            raise BundleRefused(manifest.name, explain(error)) from error
        if manifest.latent_spaces != (config.latent_space,):
            raise BundleRefused(manifest.name, "its latent space is not that of its network")
        image, z = (config.channels, config.height, config.width), config.latent
        # All that these networks multiply are places, of which one row has many: a lone one need not run twice over.
        fewest = 1 if z[1] * z[2] > 1 else 2
        networks = {
            ENCODER: open_network(
                bundle, "encoder.onnx", session_config, {"image": image}, {"mean": z, "log_variance": z}, fewest
            ),
            DECODER: open_network(bundle, "decoder.onnx", session_config, {"z": z}, {"image": image}, fewest),
        }
        return cls(manifest, networks, config, defaults)

    def cost(self, task: Task) -> Cost:
        """A row."""
        return Cost()

    def start(self, task: Task, rng: RequestRng) -> Encoding | Decoding:
        """Check the task and read what it works on. Raises `InvalidRequest` and `UnsupportedTask`."""
        if task.kind not in self._tasks:
            raise UnsupportedTask(self._name, f"this VAE has no {task.kind}")
        refuse_unread(task)
        read_class(task.conditions, ())
        config = self._config
        if task.kind is TaskKind.ENCODE:
            pixels = read_pixels(task.source, config.image, f"items[{task.index}]")
            return Encoding(task.index, pixels, None, config.space)
        if task.kind is TaskKind.DECODE:
            z = read_latent(task.source, config.latent_space, f"latents[{task.index}]")
            return Decoding(task.index, z, None, DECODER)
        raise UnsupportedTask(self._name, f"a spatial VAE has no {task.kind}")


def warm_up(bundle: Bundle) -> Sequence[Task]:
    """Tasks that touch every code path once, of those that the bundle has."""
    config = SpatialNetworkConfig.model_validate(bundle.manifest.network)
    picture = Image(np.zeros((config.height, config.width, config.channels), np.uint8))
    tasks = (
        Task(TaskKind.ENCODE, seed=0, source=picture),
        Task(TaskKind.DECODE, seed=0, source=Latent(config.space, np.zeros(config.latent, np.float32))),
    )
    return tuple(task for task in tasks if task.kind in bundle.manifest.tasks)
