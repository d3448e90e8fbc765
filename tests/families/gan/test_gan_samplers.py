"""GANs as they are served: truncation, styles, paths, translation, inversion, and what is refused."""

import dataclasses

import numpy as np
import pytest

from sextant.bundles.writer import write_bundle
from sextant.contract.errors import BundleRefused, Cancelled, InvalidRequest, UnsupportedTask
from sextant.contract.events import Progress
from sextant.contract.media import Image, Latent, Tensor
from sextant.contract.tasks import (
    Conditions,
    GanParameters,
    InterpolationPath,
    Request,
    Size,
    Task,
    TaskKind,
    VaeParameters,
    Walk,
)
from sextant.families.family import FAMILIES, family_at
from sextant.families.gan.truncation import towards_mean, truncated_normal
from sextant.runtime.rng import RequestRng
from sextant.runtime.scheduler import StepScheduler
from sextant.runtime.session import SessionConfig
from tests.families.running import bytes_of, events_of_all, run_all, run_one

GREY = Image(np.full((8, 8, 1), 90, np.uint8))
COLOUR = Image(np.arange(192, dtype=np.uint8).reshape(8, 8, 3))
FROM_NOISE = ("dcgan", "biggan", "stylegan")


def generate(seed=3, index=0, label="", **parameters) -> Task:
    return Task(
        TaskKind.GENERATE,
        seed=seed,
        index=index,
        conditions=Conditions(class_label=label),
        parameters=GanParameters(**parameters) if parameters else None,
    )


def pixels(sampler, task) -> np.ndarray:
    return run_one(sampler, task).content.pixels.astype(int)


@pytest.mark.parametrize("name", FROM_NOISE)
def test_items_differ_and_each_is_the_same_alone_and_among_others(samplers, name):
    tasks = [generate(index=index) for index in range(9)]
    tasks += [Task(TaskKind.INTERPOLATE, seed=5, index=frame, walk=Walk(frame / 3)) for frame in range(4)]
    together = [bytes_of(result) for result in run_all(samplers[name], tasks)]
    assert together == [bytes_of(run_one(samplers[name], task)) for task in tasks]
    assert len(set(map(str, together[:9]))) == 9


@pytest.mark.parametrize("psi", [0.0, 0.3, 0.99])
def test_truncated_draws_stay_within_two_psi_and_are_spread_like_a_truncated_normal(psi):
    draws = truncated_normal(RequestRng(1), "z", 5000, psi)
    assert np.abs(draws).max() <= 2 * psi
    assert draws.std() == pytest.approx(0.8796 * psi, abs=0.02)  # that of a normal cut at two deviations


def test_no_truncation_is_a_plain_normal():
    assert (truncated_normal(RequestRng(1), "z", 40, 1.0) == RequestRng(1).normal("z", shape=(40,))).all()
    w = np.float32([[1, 2], [3, 4]])
    assert (towards_mean(w, np.zeros(2, np.float32), 1.0) == w).all()
    np.testing.assert_allclose(towards_mean(w, np.float32([1, 1]), 0.5), [[1, 1.5], [2, 2.5]])


@pytest.mark.parametrize("name", ["dcgan", "stylegan"])
def test_full_truncation_makes_the_mean_picture_whatever_the_seed(samplers, bundles, name):
    if name == "stylegan":  # but for the noise
        w = np.array(bundles[name].manifest.network["mean_style"], np.float32)
        mean = run_one(samplers[name], Task(TaskKind.DECODE, seed=3, source=Latent("stylegan/w", w)))
        assert bytes_of(run_one(samplers[name], generate(seed=3, truncation=0.0))) == bytes_of(mean)
        return
    made = {str(bytes_of(run_one(samplers[name], generate(seed=seed, truncation=0.0)))) for seed in range(4)}
    assert len(made) == 1


def test_styles_are_mixed_from_the_layer_asked_for(samplers, bundles):
    layers = bundles["stylegan"].manifest.network["layers"]
    plain = pixels(samplers["stylegan"], generate())
    mixed = [pixels(samplers["stylegan"], generate(mixing_layer=layer)) for layer in range(layers)]
    distances = [np.abs(picture - plain).mean() for picture in mixed]
    assert all(distance > 0 for distance in distances)
    assert distances[-1] < distances[0]  # the last layer only tints
    with pytest.raises(InvalidRequest) as refused:
        run_one(samplers["stylegan"], generate(mixing_layer=layers))
    assert refused.value.violations[0].field == "gan.mixing_layer"


def test_a_class_makes_its_own_picture_and_paths_are_of_one_class(samplers):
    sampler = samplers["biggan"]
    cat, dog = (pixels(sampler, generate(label=label)) for label in ("CAT", "dog"))
    assert (cat != dog).any()
    drawn = {str(bytes_of(run_one(sampler, generate(seed=seed)))) for seed in range(8)}
    assert len(drawn) == 8
    same = Task(TaskKind.INTERPOLATE, seed=1, walk=Walk(0.0), conditions=Conditions(class_label="cat"))
    unsaid = [dataclasses.replace(same, conditions=Conditions(), index=index) for index in (0, 7)]
    first, last = run_all(sampler, unsaid)
    assert bytes_of(first) == bytes_of(last)


@pytest.mark.parametrize(("name", "space", "size"), [("dcgan", "dcgan/z", 6), ("stylegan", "stylegan/w", 5)])
def test_a_path_begins_and_ends_at_its_ends(samplers, name, space, size):
    rng = np.random.default_rng(0)
    start, end = (Latent(space, rng.normal(size=size).astype(np.float32)) for _ in range(2))
    for path in InterpolationPath:
        walked = [
            run_one(samplers[name], Task(TaskKind.INTERPOLATE, seed=2, walk=Walk(position, start, end, path)))
            for position in (0.0, 0.5, 1.0)
        ]
        decoded = [run_one(samplers[name], Task(TaskKind.DECODE, seed=2, source=one)) for one in (start, end)]
        assert bytes_of(walked[0]) == bytes_of(decoded[0])
        assert bytes_of(walked[2]) == bytes_of(decoded[1])
        assert bytes_of(walked[1]) not in map(bytes_of, decoded)


@pytest.mark.parametrize("name", ["dcgan", "stylegan"])
def test_drawn_ends_are_the_same_for_all_frames_and_a_traversal_moves(samplers, name):
    ends = [Task(TaskKind.INTERPOLATE, seed=4, index=index, walk=Walk(0.0)) for index in (0, 3)]
    first, other = run_all(samplers[name], ends)
    assert bytes_of(first) == bytes_of(other)
    moved = [Task(TaskKind.INTERPOLATE, seed=4, walk=Walk(t, traverse_index=1)) for t in (0.0, 1.0)]
    low, high = run_all(samplers[name], moved)
    assert bytes_of(low) != bytes_of(high)
    with pytest.raises(InvalidRequest, match="traverse_index"):
        run_one(samplers[name], Task(TaskKind.INTERPOLATE, seed=4, walk=Walk(0.5, traverse_index=6)))


@pytest.mark.parametrize(("name", "channels"), [("dcgan", 1), ("stylegan", 3)])
def test_inversion_finds_a_picture_that_the_model_made(samplers, name, channels):
    sampler = samplers[name]
    latents = [Latent(s, v) for s, v in self_made(name)]
    for latent in latents:
        made = noiseless(sampler, name, latent)
        encode = Task(TaskKind.ENCODE, seed=1, source=Image(made), parameters=GanParameters(inversion_steps=30))
        found = run_one(sampler, encode).content
        error = np.abs(noiseless(sampler, name, found).astype(int) - made).mean()
        far = np.abs(pixels(sampler, generate(seed=50)) - made).mean()
        assert error < 0.25 * far
        assert found.space == latent.space


def self_made(name):
    rng = np.random.default_rng(1)
    space, size = ("dcgan/z", 6) if name == "dcgan" else ("stylegan/w", 5)
    return [(space, rng.normal(size=size).astype(np.float32)) for _ in range(3)]


def noiseless(sampler, name, latent) -> np.ndarray:
    return run_one(sampler, Task(TaskKind.DECODE, seed=9, source=latent)).content.pixels


def test_inversion_tells_its_progress_with_previews_and_stops_when_the_caller_goes(samplers):
    sampler = samplers["dcgan"]
    encode = Task(TaskKind.ENCODE, seed=1, source=GREY, parameters=GanParameters(inversion_steps=12))
    (events,) = events_of_all(sampler, [encode])
    progress = [event.body for event in events if isinstance(event.body, Progress)]
    assert [one.total_steps for one in progress] == [12] * len(progress)
    assert any(isinstance(one.preview, Image) for one in progress)

    scheduler = StepScheduler(sampler)
    ticket = scheduler.submit(Request("r", "dcgan", (encode,)))
    scheduler.tick()
    scheduler.cancel(ticket)
    deliveries, _ = scheduler.tick()
    assert any(isinstance(delivery.error, Cancelled) for delivery in deliveries)
    assert scheduler.idle()


def test_inversion_does_not_depend_on_batch_mates(samplers):
    encode = Task(TaskKind.ENCODE, seed=1, source=GREY, parameters=GanParameters(inversion_steps=6))
    alone = bytes_of(run_one(samplers["dcgan"], encode))
    among = run_all(samplers["dcgan"], [generate(index=n) for n in range(5)] + [encode])
    assert bytes_of(among[-1]) == alone


def test_translation_goes_both_ways_and_by_default_the_first(samplers):
    sampler = samplers["cyclegan"]

    def translate(**attributes: str):
        return bytes_of(
            run_one(sampler, Task(TaskKind.TRANSFORM, 0, source=COLOUR, conditions=Conditions(attributes=attributes)))
        )

    assert translate() == translate(direction="there")
    assert translate(direction="back") != translate(direction="there")


@pytest.mark.parametrize(
    ("name", "task", "field"),
    [
        ("dcgan", generate(label="cat"), "conditions.class_label"),
        ("biggan", generate(label="horse"), "conditions.class_label"),
        ("dcgan", generate(mixing_layer=1), "gan.mixing_layer"),
        ("dcgan", generate(inversion_steps=5), "gan.inversion_steps"),
        ("dcgan", Task(TaskKind.GENERATE, 0, parameters=VaeParameters()), "parameters"),
        ("dcgan", Task(TaskKind.GENERATE, 0, size=Size(width_px=64)), "size.width_px"),
        ("dcgan", Task(TaskKind.GENERATE, 0, prompt="a cat"), "prompt"),
        ("dcgan", Task(TaskKind.DECODE, 0, source=Latent("stylegan/w", np.zeros(6, np.float32))), "latents[0].space"),
        ("dcgan", Task(TaskKind.DECODE, 0, source=Latent("dcgan/z", np.zeros(5, np.float32))), "latents[0].mean.shape"),
        (
            "stylegan",
            Task(TaskKind.DECODE, 0, source=Latent("stylegan/w", np.full(5, np.nan, np.float32))),
            "latents[0].mean.data",
        ),
        ("dcgan", Task(TaskKind.ENCODE, 0, source=GREY, parameters=GanParameters(truncation=0.5)), "gan.truncation"),
        ("dcgan", Task(TaskKind.ENCODE, 0, source=Image(np.zeros((8, 9, 1), np.uint8))), "items[0].image"),
        ("dcgan", Task(TaskKind.ENCODE, 0, source=Tensor(np.full((8, 8, 1), np.nan, np.float32))), "items[0].tensor"),
        ("cyclegan", Task(TaskKind.TRANSFORM, 0, source=Image(np.zeros((9, 8, 3), np.uint8))), "source.image"),
        ("cyclegan", Task(TaskKind.TRANSFORM, 0, source=COLOUR, strength=0.5), "strength"),
        ("cyclegan", Task(TaskKind.TRANSFORM, 0, source=COLOUR, mask=GREY), "mask"),
        (
            "cyclegan",
            Task(TaskKind.TRANSFORM, 0, source=COLOUR, conditions=Conditions(attributes={"direction": "up"})),
            "conditions.attributes",
        ),
        (
            "cyclegan",
            Task(TaskKind.TRANSFORM, 0, source=COLOUR, conditions=Conditions(attributes={"hair": "red"})),
            "conditions.attributes",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_refused_by_its_field(samplers, name, task, field):
    with pytest.raises(InvalidRequest) as refused:
        run_one(samplers[name], task)
    assert refused.value.violations[0].field == field


@pytest.mark.parametrize(
    ("name", "kind"),
    [("dcgan", TaskKind.SCORE), ("biggan", TaskKind.ENCODE), ("cyclegan", TaskKind.GENERATE)],
)
def test_a_task_that_the_model_lacks_is_refused(samplers, name, kind):
    with pytest.raises(UnsupportedTask):
        run_one(samplers[name], Task(kind, 0, source=GREY))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("dcgan", {"latent_dim": 7}),
        ("dcgan", {"surprise": 1}),
        ("stylegan", {"mean_style": [0.0]}),
        ("cyclegan", {"directions": {}}),
    ],
)
def test_a_manifest_that_does_not_fit_its_networks_is_refused(bundles, tmp_path, name, changes):
    bundle = bundles[name]
    fields = {
        key: getattr(bundle.manifest, key) for key in bundle.manifest.model_fields_set - {"files", "schema_version"}
    }
    fields["network"] = {**bundle.manifest.network, **changes}
    files = {file: bundle.file(file).read_bytes() for file in bundle.manifest.files}
    with pytest.raises(BundleRefused):
        family_at(FAMILIES["gan"]).load(write_bundle(tmp_path, files, **fields), SessionConfig())


@pytest.mark.parametrize("name", ["dcgan", "biggan", "stylegan", "cyclegan"])
def test_warming_up_runs_every_task_of_the_bundle(bundles, samplers, name):
    tasks = family_at(FAMILIES["gan"]).warm_up(bundles[name])
    assert {task.kind for task in tasks} == set(bundles[name].manifest.tasks)
    assert len(run_all(samplers[name], tasks)) == len(tasks)
