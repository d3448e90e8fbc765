"""VAEs: what NumPy makes of the same weights, the same bytes in any company, and clear refusals."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sextant.contract.errors import BundleRefused, Cancelled, InvalidRequest, UnsupportedTask
from sextant.contract.events import Estimator, Likelihood, Progress
from sextant.contract.media import Image, Latent, Media, Tensor, Text
from sextant.contract.tasks import (
    Conditions,
    FlowParameters,
    InterpolationPath,
    Request,
    Size,
    Task,
    TaskKind,
    VaeParameters,
    Walk,
)
from sextant.families.vae import FAMILY
from sextant.families.vae.bounds import iwae
from sextant.families.vae.pixel_likelihood import log_likelihood
from sextant.families.vae.sampler import VaeSampler
from sextant.runtime.rng import RequestRng
from sextant.runtime.scheduler import StepScheduler
from sextant.runtime.session import SessionConfig
from tests.families.running import bytes_of, events_of_all, run_all, run_one
from tests.families.vae.tiny import SCALE, TASKS, TinyVae

PLAIN = TinyVae()
NAMED = TinyVae(height=5, width=5, channels=3, latent_dim=4, classes=("Boot", "Bag", "Coat"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> VaeSampler:
    return VaeSampler.load(PLAIN.bundle(tmp_path_factory.mktemp("plain")), SessionConfig())


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> VaeSampler:
    return VaeSampler.load(NAMED.bundle(tmp_path_factory.mktemp("named")), SessionConfig())


def picture(seed: int = 0, vae: TinyVae = PLAIN) -> Image:
    shape = (vae.height, vae.width, vae.channels)
    return Image(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def chw(image: Image) -> np.ndarray:
    return image.pixels.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)


def point(seed: int = 0, size: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=size).astype(np.float32)


def score(source: Media, samples: int | None = None, seed: int = 0, index: int = 0) -> Task:
    parameters = None if samples is None else VaeParameters(importance_samples=samples)
    return Task(TaskKind.SCORE, seed, index, source=source, parameters=parameters)


def decoded(z: np.ndarray, label: int = 0, vae: TinyVae = PLAIN) -> np.ndarray:
    return vae.decode(z[None], label)[0].transpose(1, 2, 0) * 255


def assert_shows(image: Any, levels: np.ndarray) -> None:
    assert isinstance(image, Image)
    assert np.abs(image.pixels - levels).max() <= 0.5 + 1e-3


# ---- what each task gives -------------------------------------------------------------------------------------------


def test_a_picture_is_the_decoder_s_mean_for_a_z_drawn_from_the_seed_and_the_item(plain: VaeSampler) -> None:
    for index in (0, 3):
        z = RequestRng(5, index).normal("z", shape=(2,))
        assert_shows(run_one(plain, Task(TaskKind.GENERATE, 5, index)).content, decoded(z))


def test_temperature_scales_z_and_0_is_the_middle(plain: VaeSampler) -> None:
    z = RequestRng(5).normal("z", shape=(2,))
    for temperature in (0.0, 0.5, 2.0):
        task = Task(TaskKind.GENERATE, 5, parameters=VaeParameters(temperature=temperature))
        assert_shows(run_one(plain, task).content, decoded(np.float32(temperature) * z))


def test_the_bundle_s_own_temperature_holds_where_none_is_given(tmp_path: Path) -> None:
    cold = VaeSampler.load(PLAIN.bundle(tmp_path, defaults={"temperature": 0.0}), SessionConfig())
    assert_shows(run_one(cold, Task(TaskKind.GENERATE, 5)).content, decoded(np.zeros(2, np.float32)))


def test_a_latent_has_the_encoder_s_mean_and_variance(plain: VaeSampler) -> None:
    latent = run_one(plain, Task(TaskKind.ENCODE, 0, source=picture())).content
    mean, log_variance = PLAIN.encode(chw(picture()))
    assert isinstance(latent, Latent)
    assert latent.space == "tiny/z"
    assert latent.mean.dtype == latent.variance.dtype == np.float32
    np.testing.assert_allclose(latent.mean, mean[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(latent.variance, np.exp(log_variance[0]), rtol=1e-5)


def test_a_decoded_latent_is_the_picture_of_its_mean(plain: VaeSampler) -> None:
    latent = Latent("tiny/z", point(), np.full(2, 9.0, np.float32))
    assert_shows(run_one(plain, Task(TaskKind.DECODE, 0, source=latent)).content, decoded(point()))


def test_frames_lead_from_the_one_end_to_the_other_on_an_arc_unless_asked_otherwise(plain: VaeSampler) -> None:
    ends = Latent("tiny/z", point(1)), Latent("tiny/z", point(2))
    frames = [Task(TaskKind.INTERPOLATE, 0, i, walk=Walk(i / 4, *ends)) for i in range(5)]
    made = [result.content for result in run_all(plain, frames)]
    assert_shows(made[0], decoded(point(1)))
    assert_shows(made[4], decoded(point(2)))
    straight = Walk(0.5, *ends, path=InterpolationPath.LINEAR)
    halfway = run_one(plain, Task(TaskKind.INTERPOLATE, 0, walk=straight)).content
    assert_shows(halfway, decoded((point(1) + point(2)) / 2))
    assert not np.array_equal(made[2].pixels, halfway.pixels)


def test_a_class_changes_what_is_made_encoded_and_scored(named: VaeSampler) -> None:
    for label, name in enumerate(("boot", "BAG", "Coat")):
        conditions = Conditions(class_label=name)
        z = RequestRng(3).normal("z", shape=(4,))
        assert_shows(
            run_one(named, Task(TaskKind.GENERATE, 3, conditions=conditions)).content, decoded(z, label, NAMED)
        )
        source = picture(1, NAMED)
        latent = run_one(named, Task(TaskKind.ENCODE, 0, source=source, conditions=conditions)).content
        np.testing.assert_allclose(latent.mean, NAMED.encode(chw(source), label)[0][0], rtol=1e-5, atol=1e-6)
        given_z = Latent("tiny/z", point(2, 4))
        image = run_one(named, Task(TaskKind.DECODE, 0, source=given_z, conditions=conditions)).content
        assert_shows(image, decoded(point(2, 4), label, NAMED))
    scores = {
        run_one(named, replace(score(picture(1, NAMED)), conditions=Conditions(name))).content.log_likelihood_nats
        for name in NAMED.classes
    }
    assert len(scores) == 3


def test_without_a_class_one_is_drawn_for_each_picture(named: VaeSampler) -> None:
    for index in range(6):
        rng = RequestRng(3, index)
        label = int(float(rng.uniform("class")) * 3)
        image = run_one(named, Task(TaskKind.GENERATE, 3, index)).content
        assert_shows(image, decoded(rng.normal("z", shape=(4,)), label, NAMED))


# ---- scoring --------------------------------------------------------------------------------------------------------


def reference_weights(source: Image, samples: int, seed: int) -> np.ndarray:
    """log p(x | z) + log p(z) - log q(z | x) for each sample, in NumPy from the tiny VAE's weights."""
    mean, log_variance = (array[0].astype(np.float64) for array in PLAIN.encode(chw(source)))
    noise = np.stack([RequestRng(seed).normal("score", j, (2,)) for j in range(samples)])
    z = mean + np.exp(0.5 * log_variance) * noise
    levels = source.pixels.transpose(2, 0, 1).reshape(-1)
    fit = log_likelihood(levels, PLAIN.decode(z).reshape(samples, -1), SCALE)
    prior = -0.5 * (np.log(2 * np.pi) + z**2).sum(1)
    posterior = -0.5 * (np.log(2 * np.pi) + log_variance + noise.astype(np.float64) ** 2).sum(1)
    return fit + prior - posterior


@pytest.mark.parametrize("samples", [2, 64, 100])
def test_a_score_is_the_iwae_bound_of_its_samples(plain: VaeSampler, samples: int) -> None:
    found = run_one(plain, score(picture(), samples, seed=4)).content
    expected = iwae(reference_weights(picture(), samples, 4))
    assert isinstance(found, Likelihood)
    assert found.log_likelihood_nats == pytest.approx(expected.nats, abs=1e-3)
    assert found.standard_error_nats == pytest.approx(expected.standard_error_nats, rel=1e-2)
    assert (found.dimensions, found.estimator) == (12, Estimator.LOWER_BOUND)


def test_one_importance_sample_is_the_elbo_averaged_over_sixteen_draws(plain: VaeSampler) -> None:
    found = run_one(plain, score(picture(), 1, seed=4)).content
    weights = reference_weights(picture(), 16, 4)
    assert found.log_likelihood_nats == pytest.approx(weights.mean(), abs=1e-3)
    assert found.standard_error_nats == pytest.approx(weights.std(ddof=1) / 4, rel=1e-2)


def test_sixty_four_samples_are_taken_unless_the_bundle_or_the_request_says_otherwise(
    plain: VaeSampler, tmp_path: Path
) -> None:
    fewer = VaeSampler.load(PLAIN.bundle(tmp_path, defaults={"importance_samples": 8}), SessionConfig())
    assert bytes_of(run_one(plain, score(picture()))) == bytes_of(run_one(plain, score(picture(), 64)))
    assert bytes_of(run_one(fewer, score(picture()))) == bytes_of(run_one(plain, score(picture(), 8)))


def test_a_score_depends_on_the_seed_but_not_on_the_picture_s_place(plain: VaeSampler) -> None:
    first, moved, reseeded = run_all(plain, [score(picture()), score(picture(), index=3), score(picture(), seed=1)])
    assert bytes_of(first) == bytes_of(moved)
    assert bytes_of(first) != bytes_of(reseeded)
    assert moved.item == 3


def test_how_many_samples_go_in_a_call_does_not_change_the_score(plain: VaeSampler, tmp_path: Path) -> None:
    few = VaeSampler.load(PLAIN.bundle(tmp_path, defaults={"rows_per_step": 7}), SessionConfig())
    assert bytes_of(run_one(few, score(picture(), 100))) == bytes_of(run_one(plain, score(picture(), 100)))


def test_many_samples_are_many_steps_of_known_number_each_reported(plain: VaeSampler) -> None:
    (events,) = events_of_all(plain, [score(picture(), 1000)])
    progress = [event.body for event in events[:-1]]
    assert all(isinstance(body, Progress) and body.total_steps == 17 for body in progress)
    assert [body.step for body in progress] == list(range(1, 18))
    assert events[-1].body.usage.steps == 17


def test_a_cancelled_score_stops_within_a_step(plain: VaeSampler) -> None:
    scheduler = StepScheduler(plain, max_unsent=1000)
    ticket = scheduler.submit(Request("long", "tiny", (score(picture(), 5000),)))
    for _ in range(3):
        scheduler.tick()
    scheduler.cancel(ticket)
    deliveries, _ = scheduler.tick()
    assert isinstance(deliveries[-1].error, Cancelled)
    assert scheduler.idle()


def test_a_float_picture_is_scored_where_its_values_are_levels(plain: VaeSampler) -> None:
    as_floats = Tensor((picture().pixels / 255).astype(np.float32))
    assert bytes_of(run_one(plain, score(as_floats))) == bytes_of(run_one(plain, score(picture())))
    with pytest.raises(InvalidRequest, match=r"items\[0\]\.tensor.*8-bit levels"):
        run_one(plain, score(Tensor(np.full((4, 3, 1), 0.123))))


# ---- company --------------------------------------------------------------------------------------------------------

any_task = st.one_of(
    st.builds(lambda seed, index: Task(TaskKind.GENERATE, seed, index), st.integers(0, 9), st.integers(0, 3)),
    st.builds(lambda seed: Task(TaskKind.ENCODE, 0, source=picture(seed)), st.integers(0, 9)),
    st.builds(lambda seed: Task(TaskKind.DECODE, 0, source=Latent("tiny/z", point(seed))), st.integers(0, 9)),
    st.builds(lambda seed, t: Task(TaskKind.INTERPOLATE, seed, walk=Walk(t)), st.integers(0, 9), st.floats(0, 1)),
    st.builds(score, st.builds(picture, st.integers(0, 9)), st.sampled_from([1, 2, 30, 70]), st.integers(0, 3)),
)


@settings(max_examples=40)
@given(st.lists(any_task, min_size=2, max_size=20))
def test_every_item_has_the_same_bytes_alone_and_in_any_company(plain: VaeSampler, tasks: list[Task]) -> None:
    together = [bytes_of(result) for result in run_all(plain, tasks)]
    assert together == [bytes_of(run_one(plain, task)) for task in tasks]


def test_pictures_share_calls_up_to_the_limit_and_a_score_counts_its_samples(plain: VaeSampler) -> None:
    assert plain.limits.rows_per_step == 64
    assert plain.cost(Task(TaskKind.GENERATE, 0)).rows == 1
    rows = [plain.cost(score(picture(), samples)).rows for samples in (None, 1, 2, 64, 5000)]
    assert rows == [64, 16, 2, 64, 64]


# ---- refusals -------------------------------------------------------------------------------------------------------

WRONG = {
    "a prompt": (Task(TaskKind.GENERATE, 0, prompt="a cat"), "prompt"),
    "a source to generate from": (Task(TaskKind.GENERATE, 0, source=picture()), "source"),
    "another size": (Task(TaskKind.GENERATE, 0, size=Size(width_px=28)), "size.width_px"),
    "rows": (Task(TaskKind.GENERATE, 0, size=Size(rows=2)), "size.rows"),
    "a class": (Task(TaskKind.GENERATE, 0, conditions=Conditions("boot")), "conditions.class_label"),
    "attributes": (Task(TaskKind.GENERATE, 0, conditions=Conditions(attributes={"a": "1"})), "conditions.attributes"),
    "a flow's parameters": (Task(TaskKind.GENERATE, 0, parameters=FlowParameters()), "parameters"),
    "samples to generate": (
        Task(TaskKind.GENERATE, 0, parameters=VaeParameters(importance_samples=2)),
        "vae.importance_samples",
    ),
    "a temperature to score": (
        Task(TaskKind.SCORE, 0, source=picture(), parameters=VaeParameters(temperature=1.0)),
        "vae.temperature",
    ),
    "a context": (Task(TaskKind.SCORE, 0, source=picture(), context="after this"), "context"),
    "text to score": (Task(TaskKind.SCORE, 0, 1, source=Text("a")), "items[1].image"),
    "a picture of another size": (Task(TaskKind.ENCODE, 0, 2, source=picture(0, NAMED)), "items[2].image"),
    "a latent of another space": (Task(TaskKind.DECODE, 0, 1, source=Latent("other/z", point())), "latents[1].space"),
    "a latent of another shape": (
        Task(TaskKind.DECODE, 0, 1, source=Latent("tiny/z", point(0, 3))),
        "latents[1].mean.shape",
    ),
    "an end of another space": (
        Task(TaskKind.INTERPOLATE, 0, walk=Walk(0.5, end=Latent("other/z", point()))),
        "end.latent.space",
    ),
    "a coordinate too many": (Task(TaskKind.INTERPOLATE, 0, walk=Walk(0.5, traverse_index=2)), "traverse_index"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_a_vae_cannot_take_is_refused_by_its_field(plain: VaeSampler, what: str) -> None:
    task, field = WRONG[what]
    with pytest.raises(InvalidRequest) as refused:
        run_one(plain, task)
    assert refused.value.violations[0].field == field


@pytest.mark.parametrize("kind", [TaskKind.ENCODE, TaskKind.DECODE, TaskKind.SCORE])
def test_a_conditional_vae_wants_the_class_of_what_it_is_given(named: VaeSampler, kind: TaskKind) -> None:
    source = Latent("tiny/z", point(0, 4)) if kind is TaskKind.DECODE else picture(0, NAMED)
    for label in ("", "Hat"):
        with pytest.raises(InvalidRequest, match="must be one of Boot, Bag, Coat"):
            run_one(named, Task(kind, 0, source=source, conditions=Conditions(label)))


def test_a_path_without_a_class_is_of_one_that_is_drawn_for_all_its_frames(named: VaeSampler) -> None:
    frames = [Task(TaskKind.INTERPOLATE, 3, index, walk=Walk(0.5)) for index in (0, 5)]
    first, other = run_all(named, frames)
    assert bytes_of(first) == bytes_of(other)
    of_each = [
        run_one(named, Task(TaskKind.INTERPOLATE, 3, walk=Walk(0.5), conditions=Conditions(label)))
        for label in NAMED.classes
    ]
    assert bytes_of(first) in map(bytes_of, of_each)
    with pytest.raises(InvalidRequest, match="must be one of Boot, Bag, Coat"):
        run_one(named, Task(TaskKind.INTERPOLATE, 3, walk=Walk(0.5), conditions=Conditions("Hat")))


def test_a_task_that_the_bundle_does_not_list_is_not_done(plain: VaeSampler, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedTask, match="transform"):
        run_one(plain, Task(TaskKind.TRANSFORM, 0, source=picture()))
    less = VaeSampler.load(PLAIN.bundle(tmp_path, tasks=[TaskKind.GENERATE]), SessionConfig())
    with pytest.raises(UnsupportedTask, match="score"):
        run_one(less, score(picture()))


def network_with(**changes: Any) -> dict[str, Any]:
    sizes = {"latent_dim": 2, "height": 4, "width": 3, "channels": 1, "classes": [], "scale": 0.1}
    return {"network": {**sizes, **changes}}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (network_with(colour="blue"), "colour"),
        (network_with(scale=0.0), "scale"),
        (network_with(latent_dim=3), r"encoder\.onnx makes.*mean\[2\].*mean\[3\]"),
        (network_with(height=5), r"encoder\.onnx takes image\[1, 4, 3\].*image\[1, 5, 3\]"),
        (network_with(classes=["a", "b"]), "label"),
        (network_with(classes=["Bag", "bag"]), "case"),
        ({"network": {"latent_dim": 2}}, "height"),
        ({"defaults": {"temperatur": 1.0}}, "temperatur"),
        ({"defaults": {"importance_samples": 0}}, "importance_samples"),
        ({"defaults": {"rows_per_step": 0}}, "rows_per_step"),
        ({"architecture": "vqvae"}, "vqvae.*beta-vae, cvae, vae"),
    ],
)
def test_a_bundle_whose_manifest_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(BundleRefused, match=reason):
        FAMILY.load(PLAIN.bundle(tmp_path, **changes), SessionConfig())


@pytest.mark.parametrize("vae", [PLAIN, NAMED])
def test_warming_up_runs_every_task(vae: TinyVae, tmp_path: Path) -> None:
    bundle = vae.bundle(tmp_path)
    tasks = FAMILY.warm_up(bundle)
    assert {task.kind for task in tasks} == set(TASKS)
    run_all(FAMILY.load(bundle, SessionConfig()), tasks)
