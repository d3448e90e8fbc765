"""Flows: there and back again, densities that are known in closed form, and clear refusals."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from sextant.contract.errors import BundleRefused, InvalidRequest, UnsupportedTask
from sextant.contract.events import Estimator, Likelihood, Progress
from sextant.contract.media import Image, Latent, Media, Table, Tensor, Text
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
from sextant.families.flow import FAMILY
from sextant.families.flow.sampler import FlowSampler
from sextant.runtime.rng import RequestRng
from sextant.runtime.scheduler import StepScheduler
from sextant.runtime.session import SessionConfig
from tests.families.flow import tiny
from tests.families.flow.tiny import AffineFlow, glow_bundle, real_nvp_bundle
from tests.families.running import bytes_of, events_of_all, run_all, run_one

COLUMNS = ("mass", "length", "age")
TABLE_FLOW = AffineFlow((3,), centre=10.0, spread=2.0)
GREY_FLOW = AffineFlow((1, 4, 3), centre=128.0, spread=40.0)
RGB_FLOW = AffineFlow((3, 2, 2), centre=128.0, spread=40.0)
DIRECTIONS = {
    "smile": np.linspace(-1, 1, 12).astype(np.float32),
    "hair": np.float32([1, 0] * 6),
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> FlowSampler:
    return FlowSampler.load(real_nvp_bundle(tmp_path_factory.mktemp("nvp"), TABLE_FLOW, COLUMNS), SessionConfig())


@pytest.fixture(scope="module")
def grey(tmp_path_factory: pytest.TempPathFactory) -> FlowSampler:
    return FlowSampler.load(glow_bundle(tmp_path_factory.mktemp("grey"), GREY_FLOW, DIRECTIONS), SessionConfig())


@pytest.fixture(scope="module")
def rgb(tmp_path_factory: pytest.TempPathFactory) -> FlowSampler:
    return FlowSampler.load(glow_bundle(tmp_path_factory.mktemp("rgb"), RGB_FLOW, {}), SessionConfig())


def rows(count: int, seed: int = 0) -> np.ndarray:
    return (10 + 2 * np.random.default_rng(seed).normal(size=(count, 3))).astype(np.float32)


def table(count: int, seed: int = 0) -> Table:
    return Table(COLUMNS, rows(count, seed))


def picture(flow: AffineFlow = GREY_FLOW, seed: int = 0) -> Image:
    channels, height, width = flow.shape
    return Image(np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8))


def chw(image: Image) -> np.ndarray:
    return image.pixels.transpose(2, 0, 1)[None].astype(np.float64)


def encode(source: Media, index: int = 0) -> Task:
    return Task(TaskKind.ENCODE, 0, index, source=source)


def decode(source: Media, index: int = 0) -> Task:
    return Task(TaskKind.DECODE, 0, index, source=source)


def score(source: Media, seed: int = 0, index: int = 0) -> Task:
    return Task(TaskKind.SCORE, seed, index, source=source)


def move(source: Media, strength: float | None = None, **attributes: str) -> Task:
    conditions = Conditions(attributes=attributes)
    return Task(TaskKind.TRANSFORM, 0, source=source, conditions=conditions, strength=strength)


def nats(sampler: FlowSampler, source: Media) -> float:
    likelihood = run_one(sampler, score(source)).content
    assert isinstance(likelihood, Likelihood)
    return likelihood.log_likelihood_nats


# ---- there and back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 64, 65, 300])
def test_a_table_comes_back_from_its_latents(tables: FlowSampler, count: int) -> None:
    latent = run_one(tables, encode(table(count))).content
    assert latent.space == "tiny/z"
    assert latent.mean.shape == ((3,) if count == 1 else (count, 3))
    np.testing.assert_allclose(latent.mean, TABLE_FLOW.forward(rows(count)).squeeze(), rtol=1e-4, atol=1e-5)
    back = run_one(tables, decode(latent)).content
    assert back.columns == COLUMNS
    np.testing.assert_allclose(back.values, rows(count), rtol=1e-5)


@given(st.integers(0, 10**6))
@settings(max_examples=30)
def test_a_picture_comes_back_from_its_latent_to_the_last_level(grey: FlowSampler, seed: int) -> None:
    latent = run_one(grey, encode(picture(seed=seed))).content
    np.testing.assert_allclose(latent.mean, GREY_FLOW.forward(chw(picture(seed=seed)) + 0.5)[0], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(run_one(grey, decode(latent)).content.pixels, picture(seed=seed).pixels)


@pytest.mark.parametrize("level", [0, 255])
def test_black_and_white_come_back_too(rgb: FlowSampler, level: int) -> None:
    plain = Image(np.full((2, 2, 3), level, np.uint8))
    np.testing.assert_array_equal(
        run_one(rgb, decode(run_one(rgb, encode(plain)).content)).content.pixels, plain.pixels
    )


def test_beyond_black_and_white_there_is_only_black_and_white(grey: FlowSampler) -> None:
    bright = GREY_FLOW.forward(np.full((1, 1, 4, 3), 400.0))[0].astype(np.float32)
    assert (run_one(grey, decode(Latent("tiny/z", bright))).content.pixels == 255).all()


# ---- likelihood -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 5, 200])
def test_a_table_s_likelihood_is_the_sum_of_its_rows_densities(tables: FlowSampler, count: int) -> None:
    likelihood = run_one(tables, score(table(count))).content
    assert likelihood.log_likelihood_nats == pytest.approx(TABLE_FLOW.log_density(rows(count)).sum(), rel=1e-5)
    assert (likelihood.estimator, likelihood.standard_error_nats) == (Estimator.EXACT, 0)
    assert likelihood.dimensions == 3 * count


def test_the_density_of_a_table_integrates_to_one(tmp_path: Path) -> None:
    flow = AffineFlow((2,), centre=3.0, spread=0.5)
    sampler = FlowSampler.load(real_nvp_bundle(tmp_path, flow, ("a", "b")), SessionConfig())
    side = np.linspace(0, 6, 61)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 1, 2)
    scores = run_all(sampler, [score(Table(("a", "b"), values)) for values in grid])
    mass = sum(np.exp(result.content.log_likelihood_nats) for result in scores) * (side[1] - side[0]) ** 2
    assert mass == pytest.approx(1, abs=1e-3)


def test_a_picture_s_likelihood_is_the_density_at_one_fixed_point_of_its_cell(grey: FlowSampler) -> None:
    noise = RequestRng(0).uniform("dequantise", shape=(1, 4, 3))
    likelihood = run_one(grey, score(picture())).content
    expected = GREY_FLOW.log_density(chw(picture()) + noise)[0]
    assert likelihood.log_likelihood_nats == pytest.approx(expected, rel=1e-5)
    assert (likelihood.estimator, likelihood.dimensions) == (Estimator.EXACT, 12)


def test_a_score_depends_neither_on_seed_nor_on_place(grey: FlowSampler) -> None:
    results = run_all(grey, [score(picture()), score(picture(), seed=9), score(picture(), index=4)])
    assert len({result.content for result in results}) == 1
    assert results[2].item == 4


def test_a_grey_picture_scores_the_same_however_it_is_stored(grey: FlowSampler) -> None:
    pixels = picture().pixels
    stored = [
        Image(pixels),
        Image(np.repeat(pixels, 3, axis=2)),
        Image(np.concatenate([np.repeat(pixels, 3, axis=2), np.full((4, 3, 1), 255, np.uint8)], axis=2)),
        Tensor(pixels),
        Tensor((pixels / 255).astype(np.float32)),
    ]
    assert len({nats(grey, source) for source in stored}) == 1


# ---- generating -----------------------------------------------------------------------------------------------------


def test_a_table_has_the_rows_asked_for_each_drawn_for_itself(tables: FlowSampler) -> None:
    one, some, many = (
        run_one(tables, Task(TaskKind.GENERATE, 5, 2, size=Size(rows=count))).content for count in (0, 7, 100)
    )
    assert [len(made.values) for made in (one, some, many)] == [1, 7, 100]
    z = np.concatenate([RequestRng(5, 2).normal("z", block, (64, 3)) for block in range(2)])[:100]
    np.testing.assert_allclose(many.values, TABLE_FLOW.inverse(z), rtol=1e-4)
    np.testing.assert_array_equal(many.values[:7], some.values)
    np.testing.assert_array_equal(some.values[:1], one.values)


def test_many_rows_look_like_the_data(tables: FlowSampler) -> None:
    values = run_one(tables, Task(TaskKind.GENERATE, 0, size=Size(rows=4096))).content.values
    covariance = np.linalg.inv(TABLE_FLOW.matrix @ TABLE_FLOW.matrix.T)
    np.testing.assert_allclose(values.mean(0), TABLE_FLOW.offset, atol=0.15)
    np.testing.assert_allclose(np.cov(values.T), covariance, atol=0.4)


def test_temperature_scales_z_and_0_is_the_middle(grey: FlowSampler, tables: FlowSampler) -> None:
    for temperature in (0.0, 0.5, 1.0):
        task = Task(TaskKind.GENERATE, 5, parameters=FlowParameters(temperature))
        z = temperature * RequestRng(5).normal("z", shape=(12,))[None]
        cells = np.clip(np.floor(GREY_FLOW.inverse(z))[0], 0, 255).transpose(1, 2, 0)
        assert np.abs(run_one(grey, task).content.pixels - cells).max() <= 1  # a cell's edge may round either way
    middle = Task(TaskKind.GENERATE, 5, parameters=FlowParameters(0.0))
    np.testing.assert_allclose(run_one(tables, middle).content.values[0], TABLE_FLOW.offset, rtol=1e-6)


# ---- walking and moving ---------------------------------------------------------------------------------------------


def test_a_walk_between_two_encoded_pictures_begins_and_ends_with_them(grey: FlowSampler) -> None:
    ends = [run_one(grey, encode(picture(seed=seed))).content for seed in (1, 2)]
    frames = run_all(grey, [Task(TaskKind.INTERPOLATE, 0, i, walk=Walk(i / 4, *ends)) for i in range(5)])
    np.testing.assert_array_equal(frames[0].content.pixels, picture(seed=1).pixels)
    np.testing.assert_array_equal(frames[4].content.pixels, picture(seed=2).pixels)
    assert len({bytes_of(frame) for frame in frames}) == 5


def test_the_rows_of_two_tables_walk_side_by_side(tables: FlowSampler) -> None:
    start, end = (run_one(tables, encode(table(4, seed))).content for seed in (1, 2))
    walk = Walk(0.5, start, end, InterpolationPath.LINEAR)
    halfway = run_one(tables, Task(TaskKind.INTERPOLATE, 0, walk=walk)).content
    np.testing.assert_allclose(halfway.values, (rows(4, 1) + rows(4, 2)) / 2, rtol=1e-4)
    onwards = run_one(tables, Task(TaskKind.INTERPOLATE, 0, walk=Walk(1.0, start))).content
    assert onwards.values.shape == (4, 3)
    with pytest.raises(InvalidRequest, match=r"end\.latent\.mean\.shape"):
        short = replace(end, mean=end.mean[:3])
        run_one(tables, Task(TaskKind.INTERPOLATE, 0, walk=replace(walk, end=short)))


def test_a_picture_moves_along_the_directions_of_its_attributes(grey: FlowSampler) -> None:
    z = GREY_FLOW.forward(chw(picture()) + 0.5)
    for task, step in (
        (move(picture(), smile="0.25"), 0.25 * DIRECTIONS["smile"]),
        (move(picture(), smile="0.25", hair="-1e-1"), 0.25 * DIRECTIONS["smile"] - 0.1 * DIRECTIONS["hair"]),
        (move(picture(), 0.5, hair="1"), 0.5 * DIRECTIONS["hair"]),
    ):
        cells = np.clip(np.floor(GREY_FLOW.inverse(z + step))[0], 0, 255).transpose(1, 2, 0)
        moved = run_one(grey, task).content
        assert np.abs(moved.pixels - cells).max() <= 1  # a cell's edge may round either way
        assert not np.array_equal(moved.pixels, picture().pixels)


def test_moving_by_nothing_gives_the_picture_back_in_two_steps(grey: FlowSampler) -> None:
    (events,) = events_of_all(grey, [move(picture(), smile="0")])
    assert [event.body.step for event in events[:-1]] == [1, 2]
    np.testing.assert_array_equal(events[-1].body.content.pixels, picture().pixels)


@pytest.mark.parametrize("number", ["10.5", "-11", "nan", "inf", "much", ""])
def test_an_attribute_is_a_number_from_minus_10_to_10(grey: FlowSampler, number: str) -> None:
    with pytest.raises(InvalidRequest, match="a number from -10 to 10") as refused:
        run_one(grey, move(picture(), smile=number))
    assert refused.value.violations[0].field == "conditions.attributes[smile]"


# ---- tables by name, in chunks, in company --------------------------------------------------------------------------


def test_columns_are_found_by_name_in_any_order_or_are_in_the_model_s(tables: FlowSampler) -> None:
    shuffled = Table(("age", "mass", "length"), rows(5)[:, [2, 0, 1]])
    bare = Table((), rows(5).astype(np.float64))
    assert nats(tables, shuffled) == nats(tables, bare) == nats(tables, table(5))


def test_a_large_table_takes_several_steps_and_gives_the_same_as_row_by_row(tables: FlowSampler) -> None:
    (events,) = events_of_all(tables, [encode(table(150))])
    assert [event.body for event in events[:-1]] == [Progress(0, step, 3) for step in (1, 2, 3)]
    singly = run_all(tables, [encode(Table(COLUMNS, row[None])) for row in rows(150)])
    np.testing.assert_array_equal(events[-1].body.content.mean, [result.content.mean for result in singly])


def test_a_task_counts_its_rows_as_far_as_they_fit(tables: FlowSampler) -> None:
    z = np.zeros((50, 3), np.float32)
    tasks = {
        1: Task(TaskKind.GENERATE, 0),
        9: Task(TaskKind.GENERATE, 0, size=Size(rows=9)),
        20: encode(table(20)),
        64: score(table(1000)),
        50: decode(Latent("tiny/z", z)),
        40: Task(TaskKind.INTERPOLATE, 0, walk=Walk(0.5, end=Latent("tiny/z", z[:40]))),
    }
    assert {tables.cost(task).rows: task for task in tasks.values()} == tasks


any_table_task = st.one_of(
    st.builds(lambda seed, n: Task(TaskKind.GENERATE, seed, size=Size(rows=n)), st.integers(0, 9), st.integers(0, 90)),
    st.builds(lambda n, seed: encode(table(n, seed)), st.integers(1, 90), st.integers(0, 9)),
    st.builds(lambda n, seed: score(table(n, seed)), st.integers(1, 90), st.integers(0, 9)),
    st.builds(lambda seed, t: Task(TaskKind.INTERPOLATE, seed, walk=Walk(t)), st.integers(0, 9), st.floats(0, 1)),
)
any_picture_task = st.one_of(
    st.builds(lambda seed, index: Task(TaskKind.GENERATE, seed, index), st.integers(0, 9), st.integers(0, 3)),
    st.builds(lambda seed: encode(picture(seed=seed)), st.integers(0, 9)),
    st.builds(lambda seed: score(picture(seed=seed)), st.integers(0, 9)),
    st.builds(lambda seed, n: move(picture(seed=seed), hair=str(n)), st.integers(0, 9), st.floats(-1, 1)),
)


@settings(max_examples=25)
@given(st.lists(any_table_task, min_size=2, max_size=12))
def test_a_table_has_the_same_bytes_alone_and_in_any_company(tables: FlowSampler, tasks: list[Task]) -> None:
    together = [bytes_of(result) for result in run_all(tables, tasks)]
    assert together == [bytes_of(run_one(tables, task)) for task in tasks]


@settings(max_examples=25)
@given(st.lists(any_picture_task, min_size=2, max_size=20))
def test_a_picture_has_the_same_bytes_alone_and_in_any_company(grey: FlowSampler, tasks: list[Task]) -> None:
    together = [bytes_of(result) for result in run_all(grey, tasks)]
    assert together == [bytes_of(run_one(grey, task)) for task in tasks]


# ---- refusals -------------------------------------------------------------------------------------------------------

WRONG_TABLES: dict[str, tuple[Task, str]] = {
    "a picture": (encode(picture(), 2), "items[2].table"),
    "no column of that name": (encode(Table(("mass", "length", "Age"), rows(2))), "items[0].table.columns"),
    "a column too few": (score(Table(("mass", "length"), rows(2)[:, :2])), "items[0].table.columns"),
    "an unnamed column too many": (score(Table((), np.zeros((2, 4)))), "items[0].table.values"),
    "no rows": (score(Table(COLUMNS, np.zeros((0, 3)))), "items[0].table.values"),
    "too many rows": (score(Table(COLUMNS, np.zeros((4097, 3)))), "items[0].table.values"),
    "nan": (score(Table(COLUMNS, np.float32([[0, np.nan, 0]]))), "items[0].table.values.data"),
    "more than float32 holds": (score(Table(COLUMNS, np.float64([[0, 1e300, 0]]))), "items[0].table.values.data"),
    "too many rows to make": (Task(TaskKind.GENERATE, 0, size=Size(rows=4097)), "size.rows"),
    "a width": (Task(TaskKind.GENERATE, 0, size=Size(width_px=4)), "size.width_px"),
    "a latent of another space": (decode(Latent("other/z", np.zeros(3)), 1), "latents[1].space"),
    "a latent of another shape": (decode(Latent("tiny/z", np.zeros(4)), 1), "latents[1].mean.shape"),
    "latents of another shape": (decode(Latent("tiny/z", np.zeros((2, 4))), 1), "latents[1].mean.shape"),
    "too many latents": (decode(Latent("tiny/z", np.zeros((4097, 3))), 1), "latents[1].mean.shape"),
    "no latents": (decode(Latent("tiny/z", np.zeros((0, 3))), 1), "latents[1].mean.shape"),
}
WRONG_PICTURES: dict[str, tuple[Task, str]] = {
    "text": (score(Text("a cat")), "items[0].image"),
    "colours": (score(Image(np.arange(36, dtype=np.uint8).reshape(4, 3, 3))), "items[0].image"),
    "colours to encode": (encode(Image(np.arange(36, dtype=np.uint8).reshape(4, 3, 3))), "items[0].image"),
    "colours to move": (move(Image(np.arange(36, dtype=np.uint8).reshape(4, 3, 3)), hair="1"), "source.image"),
    "another size": (encode(Image(np.zeros((3, 4, 1), np.uint8)), 1), "items[1].image"),
    "values between levels": (score(Tensor(np.full((4, 3, 1), 0.123))), "items[0].tensor"),
    "rows": (Task(TaskKind.GENERATE, 0, size=Size(rows=2)), "size.rows"),
    "another height": (Task(TaskKind.GENERATE, 0, size=Size(3, 8)), "size.height_px"),
    "a prompt": (Task(TaskKind.GENERATE, 0, prompt="a cat"), "prompt"),
    "a source": (Task(TaskKind.GENERATE, 0, source=picture()), "source"),
    "a class": (Task(TaskKind.GENERATE, 0, conditions=Conditions("cat")), "conditions.class_label"),
    "another family's parameters": (Task(TaskKind.GENERATE, 0, parameters=VaeParameters()), "parameters"),
    "parameters to encode": (replace(encode(picture()), parameters=FlowParameters()), "parameters"),
    "an unknown attribute": (move(picture(), beard="1"), "conditions.attributes[beard]"),
    "no attribute": (move(picture()), "conditions.attributes"),
    "a mask": (replace(move(picture(), hair="1"), mask=picture()), "mask"),
    "a coordinate too many": (Task(TaskKind.INTERPOLATE, 0, walk=Walk(0.5, traverse_index=12)), "traverse_index"),
    "an end of elsewhere": (
        Task(TaskKind.INTERPOLATE, 0, walk=Walk(0.5, Latent("other/z", np.zeros(12)))),
        "start.latent.space",
    ),
}


@pytest.mark.parametrize("what", WRONG_TABLES)
def test_what_a_flow_of_tables_cannot_take_is_refused_by_its_field(tables: FlowSampler, what: str) -> None:
    task, field = WRONG_TABLES[what]
    with pytest.raises(InvalidRequest) as refused:
        run_one(tables, task)
    assert refused.value.violations[0].field == field


@pytest.mark.parametrize("what", WRONG_PICTURES)
def test_what_a_flow_of_pictures_cannot_take_is_refused_by_its_field(grey: FlowSampler, what: str) -> None:
    task, field = WRONG_PICTURES[what]
    with pytest.raises(InvalidRequest) as refused:
        run_one(grey, task)
    assert refused.value.violations[0].field == field


@pytest.mark.parametrize(
    ("task", "field"),
    [
        (decode(Latent("tiny/z", np.full(3, 3e38, np.float32)), 2), "latents[2]"),
        (score(Table(COLUMNS, np.full((2, 3), 3e38, np.float32)), index=1), "items[1]"),
        (encode(Table(COLUMNS, np.full((2, 3), 3e38, np.float32)), index=1), "items[1]"),
    ],
)
def test_what_overflows_in_the_network_is_refused_without_harm_to_others(
    tmp_path: Path, task: Task, field: str
) -> None:
    narrow = AffineFlow((3,), 0.0, 0.01) if task.kind is not TaskKind.DECODE else AffineFlow((3,), 0.0, 100.0)
    sampler = FlowSampler.load(real_nvp_bundle(tmp_path, narrow, COLUMNS), SessionConfig())
    scheduler = StepScheduler(sampler)
    far = scheduler.submit(Request("far", "tiny", (task,)))
    sane = Latent("tiny/z", np.zeros(3)) if task.kind is TaskKind.DECODE else table(1)
    near = scheduler.submit(Request("near", "tiny", (replace(task, source=sane),)))
    deliveries, _ = scheduler.tick()
    errors = {delivery.ticket: delivery.error for delivery in deliveries if delivery.ended}
    assert isinstance(errors[far], InvalidRequest)
    assert errors[far].violations[0].field == field
    assert errors[near] is None


def test_a_task_that_the_bundle_does_not_list_is_not_done(tables: FlowSampler, rgb: FlowSampler) -> None:
    with pytest.raises(UnsupportedTask, match="transform"):
        run_one(tables, Task(TaskKind.TRANSFORM, 0, source=table(1)))
    with pytest.raises(UnsupportedTask, match="transform"):
        run_one(rgb, move(picture(RGB_FLOW), smile="1"))


GLOW_SIZES = {"height": 4, "width": 3, "channels": 1, "latent_dim": 12, "attributes": list(DIRECTIONS)}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"network": {**GLOW_SIZES, "colour": "blue"}}, "colour"),
        ({"network": {**GLOW_SIZES, "latent_dim": 11}}, "12 pixel values need as many latents, not 11"),
        ({"network": {**GLOW_SIZES, "height": 3, "width": 4}}, r"forward\.onnx takes x\[1, 4, 3\].*x\[1, 3, 4\]"),
        ({"network": {**GLOW_SIZES, "attributes": ["smile"]}}, "holds hair, smile"),
        ({"network": {**GLOW_SIZES, "attributes": []}}, "promises to transform"),
        ({"defaults": {"temperature": 11.0}}, "temperature"),
        ({"defaults": {"steps": 3}}, "steps"),
        ({"architecture": "nice"}, "'nice' are unknown; known: glow, realnvp"),
        ({"architecture": "realnvp"}, "columns"),
    ],
)
def test_a_glow_whose_manifest_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(BundleRefused, match=reason):
        FAMILY.load(glow_bundle(tmp_path, GREY_FLOW, DIRECTIONS, **changes), SessionConfig())


@pytest.mark.parametrize("columns", [[], ["a", "b"], ["a", "b", "a"], ["a", "b", ""]])
def test_a_real_nvp_whose_columns_do_not_fit_is_refused(tmp_path: Path, columns: list[str]) -> None:
    with pytest.raises(BundleRefused):
        FAMILY.load(real_nvp_bundle(tmp_path, TABLE_FLOW, columns), SessionConfig())


@pytest.mark.parametrize(
    "directions",
    [
        {"smile": np.zeros(11, np.float32)},
        {"smile": np.zeros(12, np.float64)},
        {"smile": np.full(12, np.nan, np.float32)},
        {"frown": np.zeros(12, np.float32)},
    ],
)
def test_directions_that_do_not_fit_are_refused(tmp_path: Path, directions: dict[str, np.ndarray]) -> None:
    bundle = glow_bundle(tmp_path, GREY_FLOW, directions, network={**GLOW_SIZES, "attributes": ["smile"]})
    with pytest.raises(BundleRefused, match=r"attributes\.safetensors"):
        FAMILY.load(bundle, SessionConfig())


def test_a_file_of_directions_that_is_none_is_refused(tmp_path: Path) -> None:
    bundle = glow_bundle(tmp_path, GREY_FLOW, DIRECTIONS)
    (bundle.path / "attributes.safetensors").write_bytes(save(DIRECTIONS)[:-4])
    with pytest.raises(BundleRefused, match="cannot be read"):
        FAMILY.load(bundle, SessionConfig())


def test_warming_up_runs_every_task(tmp_path: Path) -> None:
    for bundle, kinds in (
        (real_nvp_bundle(tmp_path / "nvp", TABLE_FLOW, COLUMNS), tiny.TASKS),
        (glow_bundle(tmp_path / "plain", GREY_FLOW, {}), tiny.TASKS),
        (glow_bundle(tmp_path / "moving", GREY_FLOW, DIRECTIONS), (*tiny.TASKS, TaskKind.TRANSFORM)),
    ):
        tasks = FAMILY.warm_up(bundle)
        assert {task.kind for task in tasks} == set(kinds)
        run_all(FAMILY.load(bundle, SessionConfig()), tasks)
