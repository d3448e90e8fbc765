"""Serving needs no torch."""

import subprocess
import sys

_IMPORTS = """
import sys
import sextant.cli.app, sextant.client, sextant.gateway.__main__, sextant.gateway.ray_dispatch
import sextant.replicas.cluster, sextant.replicas.deployment
import sextant.families.transformer, sextant.families.transformer.sampler
import sextant.families.transformer.encoder_sampler, sextant.families.transformer.decoder_import
import sextant.families.transformer.encoder_import
import sextant.families.vae, sextant.families.vae.sampler, sextant.families.flow, sextant.families.flow.sampler
import sextant.families.gan, sextant.families.gan.sampler, sextant.families.gan.style_sampler
import sextant.families.gan.translation
import sextant.families.diffusion.conditioned_sampler, sextant.families.vae.spatial_sampler
import sextant.families.transformer.clip_sampler, sextant.hybrids.execution, sextant.hybrids.diffusers_import
heavy = sorted({"torch", "transformers", "diffusers", "tensorflow", "jax"} & set(sys.modules))
assert not heavy, heavy
"""


def test_no_serving_or_importing_module_brings_torch_in():
    subprocess.run([sys.executable, "-c", _IMPORTS], check=True, timeout=120)
