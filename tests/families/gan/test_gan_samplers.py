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
from sextant.families.pixels import to_image
from sextant.families.row_network import RowNetwork
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
    origin = Latent("dcgan/z", np.zeros(6, np.float32))
    mean = bytes_of(run_one(samplers[name], Task(TaskKind.DECODE, seed=0, source=origin)))
    assert all(bytes_of(run_one(samplers[name], generate(seed=seed, truncation=0.0))) == mean for seed in range(4))


def test_styles_are_mixed_from_the_layer_asked_for_to_the_last(samplers, bundles):
    bundle, rng = bundles["stylegan"], RequestRng(3)
    network = bundle.manifest.network
    z = np.stack([rng.normal(purpose, shape=(network["latent_dim"],)) for purpose in ("z", "z/mixing")])
    first, second = RowNetwork(bundle.file("mapping.onnx"), SessionConfig()).run({"z": z})["w"]
    noise = rng.normal("noise", shape=(1, network["noise_dim"]))
    synthesis = RowNetwork(bundle.file("synthesis.onnx"), SessionConfig())
    made = set()
    for layer in range(network["layers"]):
        styles = np.stack([first] * layer + [second] * (network["layers"] - layer))[None]
        wanted = to_image(synthesis.run({"w": styles, "noise": noise})["image"][0]).pixels
        mixed = run_one(samplers["stylegan"], generate(truncation=1.0, mixing_layer=layer))
        assert (mixed.content.pixels == wanted).all()
        made.add(str(bytes_of(mixed)))
    assert len(made) == network["layers"]


@pytest.mark.parametrize("parameters", [{}, {"mixing_layer": 1}])
def test_a_styled_picture_takes_no_more_rows_than_it_has_styles(samplers, parameters):
    assert samplers["stylegan"].cost(generate(**parameters)).rows == 1 + len(parameters)


def test_two_styles_fit_whatever_the_bundle_allows(bundles, tmp_path):
    sampler = reloaded(bundles["stylegan"], tmp_path, tasks=(TaskKind.GENERATE,), defaults={"rows_per_step": 1})
    assert run_one(sampler, generate(mixing_layer=1)).content.pixels.shape == (8, 8, 3)


@pytest.mark.parametrize("name", ["dcgan", "stylegan"])
def test_a_bad_path_fails_alone(samplers, name):
    scheduler = StepScheduler(samplers[name])
    bad = Task(TaskKind.INTERPOLATE, seed=4, walk=Walk(0.5, traverse_index=6))
    tickets = [scheduler.submit(Request(str(number), name, (task,))) for number, task in enumerate([generate(), bad])]
    errors, busy = {}, True
    while busy:
        deliveries, busy = scheduler.tick()
        errors |= {delivery.ticket: delivery.error for delivery in deliveries if delivery.ended}
    assert errors[tickets[0]] is None
    assert isinstance(errors[tickets[1]], InvalidRequest)


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


@pytest.mark.parametrize("name", ["dcgan", "stylegan"])
def test_inversion_finds_a_picture_that_the_model_made(samplers, name):
    sampler = samplers[name]
    for latent in self_made(name):
        made = noiseless(sampler, name, latent)
        encode = Task(TaskKind.ENCODE, seed=1, source=Image(made), parameters=GanParameters(inversion_steps=30))
        found = run_one(sampler, encode).content
        error = np.abs(noiseless(sampler, name, found).astype(int) - made).mean()
        mean_picture = pixels(sampler, generate(seed=9, truncation=0.0))
        assert error < 0.25 * np.abs(mean_picture - made).mean()
        assert found.space == latent.space


def self_made(name):
    rng = np.random.default_rng(1)
    space, size = ("dcgan/z", 6) if name == "dcgan" else ("stylegan/w", 5)
    return [Latent(space, rng.normal(size=size).astype(np.float32)) for _ in range(3)]


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


@pytest.mark.parametrize("name", ["dcgan", "stylegan"])
def test_inversions_depend_neither_on_batch_mates_nor_on_their_place(samplers, name):
    parameters = GanParameters(inversion_steps=6)
    encodes = [Task(TaskKind.ENCODE, seed=1, index=n, source=GREY, parameters=parameters) for n in range(3)]
    alone = bytes_of(run_one(samplers[name], encodes[0]))
    among = run_all(samplers[name], [generate(index=n) for n in range(5)] + encodes)
    assert [bytes_of(result) for result in among[-3:]] == [alone] * 3


def test_a_latent_that_overflows_the_network_is_named(samplers):
    far = Latent("biggan/z", np.full(6, 1e38, np.float32))
    tasks = {
        "latents[2]": Task(TaskKind.DECODE, 0, index=2, source=far),
        "end": Task(TaskKind.INTERPOLATE, 0, walk=Walk(1.0, end=far)),
    }
    for field, task in tasks.items():
        with pytest.raises(InvalidRequest) as refused:
            run_one(samplers["biggan"], task)
        assert refused.value.violations[0].field == field


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
        ("stylegan", generate(mixing_layer=64), "gan.mixing_layer"),
        ("stylegan", generate(label="cat"), "conditions.class_label"),
        ("cyclegan", Task(TaskKind.TRANSFORM, 0, source=COLOUR, prompt="older"), "prompt"),
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
        ("dcgan", {"network": {"latent_dim": 7}}),
        ("dcgan", {"network": {"surprise": 1}}),
        ("dcgan", {"defaults": {"surprise": 1}}),
        ("dcgan", {"defaults": {"truncation": 1.5}}),
        ("stylegan", {"network": {"mean_style": [0.0]}}),
        ("cyclegan", {"network": {"directions": {}}}),
        ("cyclegan", {"network": {"directions": {"there": "missing.onnx"}}}),
        ("biggan", {"tasks": (TaskKind.GENERATE, TaskKind.ENCODE)}),  # a latent has no place for the class
        ("dcgan", {"architecture": "vqgan"}),
    ],
)
def test_a_manifest_that_does_not_fit_its_networks_is_refused(bundles, tmp_path, name, changes):
    with pytest.raises(BundleRefused):
        reloaded(bundles[name], tmp_path, **changes)


def reloaded(bundle, directory, **changes):
    """A sampler of the same networks under a manifest with some keys changed, within tables too."""
    manifest = bundle.manifest
    fields = {key: getattr(manifest, key) for key in manifest.model_fields_set - {"files", "schema_version"}}
    for key, value in changes.items():
        fields[key] = {**fields.get(key, {}), **value} if isinstance(value, dict) else value
    files = {file: bundle.file(file).read_bytes() for file in manifest.files}
    return family_at(FAMILIES["gan"]).load(write_bundle(directory, files, **fields), SessionConfig())


@pytest.mark.parametrize("name", ["dcgan", "biggan", "stylegan", "cyclegan"])
def test_warming_up_runs_every_task_of_the_bundle(bundles, samplers, name):
    tasks = family_at(FAMILIES["gan"]).warm_up(bundles[name])
    assert {task.kind for task in tasks} == set(bundles[name].manifest.tasks)
    assert len(run_all(samplers[name], tasks)) == len(tasks)
