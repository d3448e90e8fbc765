"""Latents are read only where they belong, and walks start and end where they say."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sextant.bundles.manifest import LatentSpace
from sextant.contract.errors import InvalidRequest
from sextant.contract.media import Latent, Media, Text
from sextant.contract.tasks import InterpolationPath, Task, TaskKind, Walk
from sextant.families.latents import point_on, read_latent, walked_to

SPACE = LatentSpace(id="tiny/z", shape=(4,))
LINEAR, SPHERICAL = InterpolationPath.LINEAR, InterpolationPath.SPHERICAL
vectors = arrays(np.float32, (4,), elements=st.floats(-1e6, 1e6, width=32))


def draws(seed: int, shape: tuple[int, ...] = (4,)) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def frame(walk: Walk, seed: int = 1, index: int = 0) -> np.ndarray:
    return walked_to(Task(TaskKind.INTERPOLATE, seed, index, walk=walk), SPACE, SPHERICAL)


@given(start=vectors, end=vectors, path=st.sampled_from(InterpolationPath))
def test_a_walk_starts_and_ends_exactly_at_its_ends(
    start: np.ndarray, end: np.ndarray, path: InterpolationPath
) -> None:
    np.testing.assert_array_equal(point_on(Walk(0.0, path=path), start, end, LINEAR), start)
    np.testing.assert_array_equal(point_on(Walk(1.0, path=path), start, end, LINEAR), end)


@given(start=vectors, end=vectors, path=st.sampled_from(InterpolationPath), position=st.floats(0, 1))
def test_every_point_of_every_walk_is_finite_float32(
    start: np.ndarray, end: np.ndarray, path: InterpolationPath, position: float
) -> None:
    point = point_on(Walk(position, path=path), start, end, LINEAR)
    assert point.dtype == np.float32
    assert np.isfinite(point).all()


def test_a_great_arc_keeps_the_norm_and_turns_at_an_even_pace() -> None:
    start, end = draws(1), draws(2)
    end *= np.linalg.norm(start) / np.linalg.norm(end)
    points = [point_on(Walk(t), start, end, SPHERICAL) for t in np.linspace(0, 1, 9)]
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), np.linalg.norm(start), rtol=1e-6)
    steps = [np.linalg.norm(b - a) for a, b in pairwise(points)]
    np.testing.assert_allclose(steps, steps[0], rtol=1e-4)


def test_a_straight_line_is_straight() -> None:
    start, end = draws(1), draws(2)
    point = point_on(Walk(0.25, path=LINEAR), start, end, SPHERICAL)
    np.testing.assert_allclose(point, 0.75 * start + 0.25 * end, rtol=1e-6)


@pytest.mark.parametrize("factor", [1.0, 1 + 1e-7, 2.0, -1.0, 0.0])
def test_where_there_is_no_arc_the_walk_is_straight(factor: float) -> None:
    start = draws(1)
    end = (factor * start).astype(np.float32)
    np.testing.assert_allclose(
        point_on(Walk(0.5), start, end, SPHERICAL), 0.5 * start + 0.5 * end, rtol=1e-6, atol=1e-6
    )


def test_an_arc_just_above_parallel_is_nearly_straight() -> None:
    start = np.float32([1, 0, 0, 0])
    end = np.float32([1, 1e-3, 0, 0])
    np.testing.assert_allclose(point_on(Walk(0.3), start, end, SPHERICAL), 0.7 * start + 0.3 * end, atol=1e-6)


def test_the_path_of_the_request_goes_before_the_model_s() -> None:
    start, end = draws(1), draws(2)
    straight = point_on(Walk(0.5, path=LINEAR), start, end, SPHERICAL)
    assert not np.allclose(straight, point_on(Walk(0.5), start, end, SPHERICAL))


def test_the_rows_of_two_tables_walk_each_for_itself() -> None:
    start, end = draws(1, (3, 4)), draws(2, (3, 4))
    start[1] = end[1]  # no arc for this one
    together = point_on(Walk(0.4), start, end, SPHERICAL)
    for row in range(3):
        np.testing.assert_array_equal(together[row], point_on(Walk(0.4), start[row], end[row], SPHERICAL))


def test_a_traversal_moves_one_coordinate_alone() -> None:
    start, end = draws(1), draws(2)
    for position, wanted in ((0.0, start[2]), (0.25, 0.75 * start[2] + 0.25 * end[2]), (1.0, end[2])):
        point = point_on(Walk(position, traverse_index=2), start, end, SPHERICAL)
        assert point[2] == pytest.approx(wanted, rel=1e-6)
        np.testing.assert_array_equal(np.delete(point, 2), np.delete(start, 2))


def test_a_traversal_without_an_end_goes_three_deviations_to_either_side() -> None:
    points = [frame(Walk(t, Latent("tiny/z", draws(1)), traverse_index=0))[0] for t in (0.0, 0.5, 1.0)]
    assert points == [-3, 0, 3]


@pytest.mark.parametrize("index", [4, 10**9])
def test_a_coordinate_that_is_not_there_cannot_be_traversed(index: int) -> None:
    with pytest.raises(InvalidRequest, match=r"traverse_index.*from 0 to 3"):
        frame(Walk(0.5, traverse_index=index))


def test_absent_ends_are_drawn_from_the_seed_and_are_the_same_for_all_frames() -> None:
    starts = [frame(Walk(0.0), seed=5, index=index) for index in (0, 1, 7)]
    ends = [frame(Walk(1.0), seed=5, index=index) for index in (0, 1, 7)]
    for points in (starts, ends):
        assert len({point.tobytes() for point in points}) == 1
    assert not np.array_equal(starts[0], ends[0])
    assert not np.array_equal(starts[0], frame(Walk(0.0), seed=6))


def test_a_start_that_is_given_leaves_the_end_as_it_would_be_drawn() -> None:
    given_start = frame(Walk(0.0, Latent("tiny/z", draws(1))), seed=5)
    np.testing.assert_array_equal(given_start, draws(1))
    np.testing.assert_array_equal(frame(Walk(1.0, Latent("tiny/z", draws(1))), seed=5), frame(Walk(1.0), seed=5))


def test_of_a_distribution_the_mean_is_taken_in_float32() -> None:
    point = read_latent(Latent("tiny/z", draws(1).astype(np.float64), np.ones(4)), SPACE, "latents[0]")
    assert point.dtype == np.float32
    np.testing.assert_array_equal(point, draws(1))


@pytest.mark.parametrize(
    ("media", "field", "reason"),
    [
        (None, "latents[3]", "tiny/z"),
        (Text("z"), "latents[3]", "tiny/z"),
        (Latent("other/z", draws(1)), "latents[3].space", "other/z.*tiny/z"),
        (Latent("tiny/z", draws(1, (5,))), "latents[3].mean.shape", r"\[5\].*\[4\]"),
        (Latent("tiny/z", draws(1, (1, 4))), "latents[3].mean.shape", r"\[1, 4\].*\[4\]"),
        (Latent("tiny/z", np.float32([0, np.nan, 0, 0])), "latents[3].mean.data", "finite"),
        (Latent("tiny/z", np.float64([0, 1e300, 0, 0])), "latents[3].mean.data", "float32"),
    ],
)
def test_a_latent_of_elsewhere_is_refused_by_its_field(media: Media, field: str, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason) as refused:
        read_latent(media, SPACE, "latents[3]")
    assert refused.value.violations[0].field == field


@pytest.mark.parametrize(
    "walk", [Walk(0.5, Latent("other/z", draws(1))), Walk(0.5, end=Latent("tiny/z", draws(1, (5,))))]
)
def test_the_ends_of_a_walk_are_checked_like_any_latent(walk: Walk) -> None:
    with pytest.raises(InvalidRequest, match=r"^(start\.latent\.space|end\.latent\.mean\.shape)"):
        frame(walk)


def test_interpolating_without_a_walk_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="start"):
        walked_to(Task(TaskKind.INTERPOLATE, 0), SPACE, SPHERICAL)
