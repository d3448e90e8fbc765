"""Denoisers that are told embeddings: what reaches the network, and what is refused."""

from typing import Any

import numpy as np
import pytest
import torch

from sextant.contract.errors import BundleRefused, InvalidRequest, UnsupportedTask
from sextant.contract.media import Image, Latent
from sextant.contract.tasks import Conditions, DiffusionParameters, Task, TaskKind
from sextant.families.diffusion import FAMILY
from sextant.families.diffusion.conditioned_networks import ConditionedUNet, Told
from sextant.families.diffusion.conditioned_train import ConditionedTraining
from sextant.runtime.session import SessionConfig
from tests.families.diffusion.tiny_conditioned import (
    CODE,
    SIZE,
    TOKENS,
    WHOLE,
    WIDTH,
    WORDS,
    enlarging_bundle,
    latent_bundle,
    prior_bundle,
)
from tests.families.running import bytes_of, run_all, run_one

RNG = np.random.default_rng(5)


def words(length: int = 3) -> Latent:
    return Latent(WORDS, RNG.normal(size=(length, WIDTH)).astype(np.float32))


def whole() -> Latent:
    return Latent(WHOLE, RNG.normal(size=WIDTH).astype(np.float32))


@pytest.fixture(scope="module")
def bundles(tmp_path_factory) -> dict[str, Any]:
    directory = tmp_path_factory.mktemp("bundles")
    made = (latent_bundle(directory), enlarging_bundle(directory), prior_bundle(directory))
    return {bundle.manifest.name: bundle for bundle in made}


@pytest.fixture(scope="module")
def latents(bundles):
    return FAMILY.load(bundles["tiny-latent"], SessionConfig())


def task(seed: int = 1, kind: TaskKind = TaskKind.GENERATE, media=None, negative=(), **rest: Any) -> Task:
    given = (words(), whole()) if media is None else media
    return Task(kind, seed, conditions=Conditions(media=given, negative=negative), **rest)


def code(seed: int = 0) -> Latent:
    return Latent(CODE, np.random.default_rng(seed).normal(size=(4, SIZE, SIZE)).astype(np.float32))


def test_it_makes_points_of_its_latent_space(latents):
    content = run_one(latents, task()).content
    assert isinstance(content, Latent)
    assert (content.space, content.mean.shape) == (CODE, (4, SIZE, SIZE))


def test_a_row_is_the_same_alone_and_among_others(latents):
    tasks = [task(seed, parameters=DiffusionParameters(steps=3 + seed, guidance=0.5 * seed)) for seed in range(5)]
    together = run_all(latents, tasks)
    assert [bytes_of(result) for result in together] == [bytes_of(run_one(latents, one)) for one in tasks]


@pytest.mark.parametrize("changed", [0, 1])
def test_every_condition_counts(latents, changed):
    media = [words(), whole()]
    first = run_one(latents, task(media=tuple(media))).content.mean
    media[changed] = (words, whole)[changed]()
    assert np.abs(run_one(latents, task(media=tuple(media))).content.mean - first).max() > 1e-4


def test_what_pads_a_sequence_does_not_count(latents):
    """The network is told a sequence of three as five; the mask hides the rest."""
    short, one = words(3), whole()
    long = Latent(WORDS, np.concatenate([short.mean, np.zeros((2, WIDTH), np.float32)]))
    a, b = (run_one(latents, task(media=(sequence, one))).content.mean for sequence in (short, long))
    assert np.abs(a - b).max() > 1e-4


def test_guidance_leads_away_from_nothing_or_from_what_is_said(latents):
    media, away = (words(), whole()), (words(2), whole())

    def made(guidance: float, negative=()) -> np.ndarray:
        given = DiffusionParameters(guidance=guidance)
        return run_one(latents, task(media=media, negative=negative, parameters=given)).content.mean

    assert np.abs(made(3.0) - made(3.0, away)).max() > 1e-4
    np.testing.assert_array_equal(made(1.0), made(1.0, away))
    only_away = run_one(latents, task(media=away, parameters=DiffusionParameters(guidance=1.0))).content.mean
    np.testing.assert_array_equal(made(0.0, away), only_away)


def test_transform_starts_from_a_latent_and_departs_by_its_strength(latents):
    source, media = code(), (words(), whole())

    def distance(strength: float) -> float:
        given = DiffusionParameters(steps=20)
        made = run_one(latents, task(1, TaskKind.TRANSFORM, media, source=source, strength=strength, parameters=given))
        return float(np.abs(made.content.mean - source.mean).mean())

    assert distance(0.1) < distance(0.5)


def test_a_mask_of_the_decoded_picture_keeps_what_it_does_not_touch(latents):
    mask = np.zeros((4 * SIZE, 4 * SIZE, 1), np.uint8)
    mask[:, : 2 * SIZE] = 255
    source = code()
    made = run_one(latents, task(1, TaskKind.TRANSFORM, source=source, mask=Image(mask))).content.mean
    np.testing.assert_allclose(made[:, :, SIZE // 2 :], source.mean[:, :, SIZE // 2 :], atol=1e-5)
    assert np.abs(made[:, :, : SIZE // 2] - source.mean[:, :, : SIZE // 2]).max() > 0.01


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"media": ()}, "conditions.media"),
        ({"media": (Latent(WORDS, np.zeros((3, WIDTH), np.float32)),)}, "conditions.media"),
        ({"media": (words(TOKENS + 1), whole())}, "conditions.media"),
        ({"media": (Latent("else/where", np.zeros(3, np.float32)),)}, "conditions.media"),
        ({"media": (Image(np.zeros((4, 4, 3), np.uint8)),)}, "conditions.media"),
        ({"prompt": "words"}, "prompt"),
        ({"strength": 0.5}, "strength"),
    ],
)
def test_what_the_network_cannot_be_told_is_refused_by_its_field(latents, changes, field):
    with pytest.raises(InvalidRequest) as refused:
        run_one(latents, task(**changes))
    assert refused.value.violations[0].field == field


def test_a_small_picture_is_enlarged(bundles):
    sampler = FAMILY.load(bundles["tiny-enlarger"], SessionConfig())
    small = [Image(RNG.integers(0, 255, (4, 4, 3)).astype(np.uint8)) for _ in range(2)]
    made = [run_one(sampler, task(media=(one,))).content.pixels for one in small]
    assert made[0].shape == (SIZE, SIZE, 3)
    assert (made[0] != made[1]).any()
    with pytest.raises(InvalidRequest, match="the one picture"):
        run_one(sampler, task(media=()))
    with pytest.raises(UnsupportedTask):
        run_one(sampler, task(1, TaskKind.TRANSFORM, media=small[:1], source=small[0]))


def test_a_prior_makes_vectors_out_of_vectors_of_the_same_space(bundles):
    sampler = FAMILY.load(bundles["tiny-prior"], SessionConfig())
    made = run_one(sampler, task(media=(whole(),))).content
    assert (made.space, made.mean.shape) == (WHOLE, (WIDTH,))


def test_every_bundle_warms_up(bundles):
    for bundle in bundles.values():
        sampler = FAMILY.load(bundle, SessionConfig())
        assert all(run_all(sampler, FAMILY.warm_up(bundle)))


def test_a_manifest_whose_spaces_are_not_its_networks_is_refused(bundles):
    bundle = bundles["tiny-latent"]
    manifest = bundle.manifest.model_copy(update={"latent_spaces": bundle.manifest.latent_spaces[:1]})
    with pytest.raises(BundleRefused, match="latent spaces"):
        FAMILY.load(type(bundle)(bundle.path, manifest, bundle.digest), SessionConfig())


def test_training_learns_what_it_is_told():
    """Latents that are what the vector says: the loss falls below that of not heeding it."""
    torch.manual_seed(0)
    vectors = torch.randn(32, WIDTH)
    x0 = vectors[:, :4, None, None].expand(-1, -1, 4, 4)

    def read(batch):
        return batch[0], {"vector": batch[1]}

    training = ConditionedTraining(ConditionedUNet(4, 4, Told(vector=WIDTH), width=16), read, rate=4e-3)
    losses = [float(training.step((x0, vectors), 0.1 + step / 60)["loss"]) for step in range(40)]
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])
