"""A Stable Diffusion pipeline, as diffusers saves it, into a graph bundle and the bundles of its stages.

Needs torch and diffusers, to import only: what comes of it is ONNX files and a graph, served like all else.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sextant.bundles.manifest import LatentSpace
from sextant.bundles.progress import ProgressFn, no_progress
from sextant.bundles.store import Bundle
from sextant.bundles.writer import ImportOptions, write_bundle
from sextant.contract.errors import BundleRefused
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.families.provenance import Provenance
from sextant.families.transformer.huggingface_files import read_object
from sextant.hybrids.hybrid import build_hybrid
from sextant.hybrids.latent_diffusion import latent_diffusion_graph

INDEX = "model_index.json"
_PIPELINE = "StableDiffusionPipeline"
_PARTS = {"text_encoder": "CLIPTextModel", "unet": "UNet2DConditionModel", "vae": "AutoencoderKL"}


def is_pipeline(path: Path) -> bool:
    """Whether `path` is a directory that diffusers saved a pipeline in."""
    return (path / INDEX).is_file()


def import_pipeline(
    path: Path, destination: Path, options: ImportOptions, progress: ProgressFn = no_progress
) -> Bundle:
    """Makes the graph bundle `destination / options.name`, and beside it its stages': -text, -unet and -vae.

    Raises `BundleRefused` where the pipeline is of another kind, or a part of it cannot be imported.
    """
    name = options.name
    index = read_object(path / INDEX, name)
    _check_index(index, name)
    try:
        from sextant.families.diffusion.conditioned_config import ContextPart, LatentPart
        from sextant.families.diffusion.diffusers_import import import_unet, load_unet, read_schedule
        from sextant.families.transformer.clip_import import import_clip_text
        from sextant.families.vae.diffusers_import import import_kl_vae
    except ImportError as error:
        raise BundleRefused(name, f"importing a pipeline needs `pip install 'sextant[train]'`: {error.name}") from error
    process, defaults = read_schedule(read_object(path / "scheduler" / "scheduler_config.json", name), name)
    what = "converting"
    progress(what, 0, 3)
    text, words = import_clip_text(
        path / "text_encoder", path / "tokenizer", destination, f"{name}-text", provenance=_of(options, "text encoder")
    )
    progress(what, 1, 3)
    unet = load_unet(path / "unet", f"{name}-unet")
    size = unet.config.sample_size
    if not isinstance(size, int):
        raise BundleRefused(name, "pictures that are not square are not imported")
    vae = import_kl_vae(path / "vae", destination, f"{name}-vae", size, provenance=_of(options, "VAE"))
    progress(what, 2, 3)
    (space,) = vae.bundle.manifest.latent_spaces
    denoiser = import_unet(
        unet,
        process,
        defaults,
        destination,
        f"{name}-unet",
        latent=LatentPart(space=space.id, shape=space.shape, scale=vae.scale, shift=vae.shift),
        context=ContextPart(space=words.space, tokens=words.tokens, width=words.width, masked=False),
        provenance=_of(options, "U-Net"),
    )
    progress(what, 3, 3)
    bundle = write_bundle(
        destination,
        {},
        name=name,
        version=options.version,
        family="hybrid",
        architecture="stable-diffusion",
        description=options.description or "Pictures from words, by diffusion in a latent space.",
        tasks=(TaskKind.GENERATE, TaskKind.TRANSFORM),
        inputs=(Modality.TEXT, Modality.IMAGE),
        outputs=(Modality.IMAGE,),
        latent_spaces=(LatentSpace(id=space.id, shape=space.shape),),
        deterministic=True,
        license=options.license,
        provenance=options.provenance,
        graph=latent_diffusion_graph(
            text.manifest.name,
            denoiser.manifest.name,
            vae.bundle.manifest.name,
            space.id,
            words.space,
            empty_prompt=True,
        ),
    )
    manifests = {stage.manifest.name: stage.manifest for stage in (text, denoiser, vae.bundle)}
    build_hybrid(bundle.manifest, manifests)
    return bundle


def _check_index(index: Mapping[str, Any], name: str) -> None:
    found = index.get("_class_name")
    if found != _PIPELINE:
        raise BundleRefused(name, f"pipelines of class {found!r} are not imported; {_PIPELINE} is")
    for part, wanted in _PARTS.items():
        entry = index.get(part)
        kind = entry[1] if isinstance(entry, list) and len(entry) == 2 else None
        if kind != wanted:
            raise BundleRefused(name, f"its {part} is {kind!r}; {wanted} is imported")


def _of(options: ImportOptions, part: str) -> Provenance:
    return Provenance(
        description=f"The {part} of {options.name}.",
        data=options.provenance,
        version=options.version,
        license=options.license,
    )
