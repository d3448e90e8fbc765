"""An imported Stable Diffusion pipeline beside diffusers' own."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from sextant.bundles.store import BundleStore
from sextant.bundles.writer import ImportOptions
from sextant.contract.errors import BundleRefused, InvalidRequest
from sextant.contract.media import Image, Text
from sextant.contract.tasks import Conditions, DiffusionParameters, HybridParameters, Task, TaskKind
from sextant.families.diffusion import FAMILY as DIFFUSION
from sextant.families.transformer import FAMILY as TRANSFORMER
from sextant.hybrids.diffusers_import import import_pipeline, is_pipeline
from sextant.hybrids.stages import own_seed
from sextant.runtime.rng import RequestRng
from sextant.runtime.session import SessionConfig
from tests.families.running import run_all, run_one
from tests.hybrids.local import co_located, events_of, progress_of, results_of
from tests.hybrids.tiny_diffusers import LATENT, SIZE, tiny_pipeline

NAME, SEED, STEPS = "tiny-sd", 9, 6


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    directory = tmp_path_factory.mktemp("sd")
    pipeline = tiny_pipeline(directory)
    bundle = import_pipeline(directory / "pipeline", directory / "bundles", ImportOptions(name=NAME))
    return pipeline, BundleStore([directory / "bundles"]), bundle, directory / "pipeline"


def asked(prompt: str = "a face", guidance: float = 7.5, seed: int = SEED, **rest) -> Task:
    given = HybridParameters({"denoise": DiffusionParameters(steps=STEPS, guidance=guidance)})
    return Task(rest.pop("kind", TaskKind.GENERATE), seed, prompt=prompt, parameters=given, **rest)


async def made(store: BundleStore, task: Task) -> np.ndarray:
    async with co_located(store, NAME) as hybrid:
        return results_of(await events_of(hybrid, NAME, [task]))[0].content.pixels


@pytest.mark.parametrize("guidance", [1.0, 7.5])
async def test_the_same_latents_and_steps_give_the_picture_that_diffusers_gives(imported, guidance):
    pipeline, store, *_ = imported
    noise = RequestRng(own_seed(SEED, "denoise")).normal("diffusion/start", shape=(4, LATENT, LATENT))
    theirs = pipeline(
        "a face",
        latents=torch.from_numpy(noise.copy())[None],
        num_inference_steps=STEPS,
        guidance_scale=guidance,
        output_type="np",
    ).images[0]
    ours = await made(store, asked(guidance=guidance))
    assert ours.shape == (SIZE, SIZE, 3)
    # Ours are rounded to 256 levels: half a level beside the thousandth.
    assert np.abs(ours / 255 - theirs).max() < 0.5 / 255 + 1e-3


def test_the_latents_agree_to_a_thousandth(imported):
    """Without the rounding of pictures: what the denoiser's stage alone makes."""
    pipeline, store, *_ = imported
    words = TRANSFORMER.load(store.open(f"{NAME}-text"), SessionConfig())
    texts = [Task(TaskKind.ENCODE, 0, source=Text(text)) for text in ("a face", "")]
    said, nothing = (result.content for result in run_all(words, texts))
    noise = RequestRng(SEED).normal("diffusion/start", shape=(4, LATENT, LATENT))
    conditions = Conditions(media=(said,), negative=(nothing,))
    given = DiffusionParameters(steps=STEPS, guidance=7.5)
    task = Task(TaskKind.GENERATE, SEED, conditions=conditions, parameters=given)
    ours = run_one(DIFFUSION.load(store.open(f"{NAME}-unet"), SessionConfig()), task).content.mean
    theirs = pipeline(
        "a face",
        latents=torch.from_numpy(noise.copy())[None],
        num_inference_steps=STEPS,
        guidance_scale=7.5,
        output_type="latent",
    ).images[0]
    assert np.abs(ours * pipeline.vae.config.scaling_factor - theirs.numpy()).max() < 1e-3


async def test_a_picture_is_changed_by_words_and_where_the_mask_says(imported):
    _, store, *_ = imported
    source = Image(np.full((SIZE, SIZE, 3), 128, np.uint8))
    mask = Image(np.zeros((SIZE, SIZE, 1), np.uint8))
    task = asked(kind=TaskKind.TRANSFORM, source=source, strength=0.5)
    changed = await made(store, task)
    assert changed.shape == (SIZE, SIZE, 3)
    assert (changed != await made(store, asked("xyz", kind=TaskKind.TRANSFORM, source=source, strength=0.5))).any()
    kept = await made(store, asked(kind=TaskKind.TRANSFORM, source=source, mask=mask))
    again = await made(store, asked("xyz", kind=TaskKind.TRANSFORM, source=source, mask=mask))
    np.testing.assert_array_equal(kept, again)


async def test_previews_are_pictures(imported):
    _, store, *_ = imported
    given = HybridParameters({"denoise": DiffusionParameters(steps=STEPS, preview_every_steps=2)})
    task = Task(TaskKind.GENERATE, SEED, prompt="a face", parameters=given)
    async with co_located(store, NAME) as hybrid:
        shown = [event.preview for event in progress_of(await events_of(hybrid, NAME, [task]))]
    assert [preview is not None for preview in shown] == [False, True] * (STEPS // 2)
    assert all(preview.pixels.shape == (SIZE, SIZE, 3) for preview in shown if preview is not None)


async def test_a_prompt_that_is_too_long_is_refused_by_its_field(imported):
    _, store, *_ = imported
    with pytest.raises(InvalidRequest, match="it reads at most 77") as refused:
        await made(store, asked("a " * 100))
    assert refused.value.violations[0].field == "prompt"


@pytest.mark.parametrize(
    ("file", "changes", "said"),
    [
        ("model_index.json", {"_class_name": "FluxPipeline"}, "'FluxPipeline' are not imported"),
        ("model_index.json", {"unet": ["diffusers", "UNet3D"]}, "its unet is 'UNet3D'"),
        ("scheduler/scheduler_config.json", {"_class_name": "LMSDiscreteScheduler"}, "'LMSDiscreteScheduler' is not"),
        ("scheduler/scheduler_config.json", {"timestep_spacing": "linspace"}, "timestep_spacing = 'linspace'"),
        ("scheduler/scheduler_config.json", {"beta_schedule": "sigmoid"}, "beta_schedule = 'sigmoid'"),
    ],
)
def test_a_pipeline_that_would_not_come_out_the_same_is_refused(imported, tmp_path: Path, file, changes, said):
    shutil.copytree(imported[3], tmp_path / "pipeline")
    path = tmp_path / "pipeline" / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(BundleRefused) as refused:
        import_pipeline(tmp_path / "pipeline", tmp_path / "bundles", ImportOptions(name="x"))
    assert said in str(refused.value)


def test_only_a_directory_with_an_index_is_a_pipeline(imported, tmp_path):
    assert is_pipeline(imported[3])
    assert not is_pipeline(tmp_path)
