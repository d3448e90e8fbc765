"""The matrix of families and its page: every figure from a manifest or from the record of trials."""

import math

import pytest

from sextant.bundles.store import SHIPPED_DIRECTORY, open_bundle
from sextant.zoo.comparison.matrix import PROPERTIES, compare
from sextant.zoo.comparison.page import page, stars
from sextant.zoo.comparison.plot import write_plot
from sextant.zoo.comparison.trials import COMPARED, RECORD, Record, Trial, Trials, read, write
from tests.conftest import ROOT


def test_the_page_in_the_repository_is_what_the_measurements_make():
    written = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
    assert written == page(compare(SHIPPED_DIRECTORY, RECORD), "samples/comparison.svg")
    assert (ROOT / "docs" / "samples" / "comparison.svg").exists()


def test_every_value_of_the_matrix_is_a_manifests_or_the_trials():
    matrix = compare(SHIPPED_DIRECTORY, RECORD)
    assert [one.model for one in matrix.models] == list(COMPARED)
    for one in matrix.models:
        measured = {m.name: m.value for m in open_bundle(SHIPPED_DIRECTORY / one.model).manifest.measurements}
        for column in PROPERTIES:
            if column.measure != "spread":
                assert one.values[column.name] == measured.get(column.measure)
        tried = matrix.trials.models.get(one.model)
        if tried is not None and len(tried.qualities) > 1:
            assert one.values["stability"] == max(tried.qualities) - min(tried.qualities)


def test_stars_are_the_share_of_models_that_one_is_at_least_as_good_as():
    matrix = compare(SHIPPED_DIRECTORY, RECORD)
    for column in PROPERTIES:
        known = [one for one in matrix.models if one.values[column.name] is not None]
        for one in known:
            own = one.values[column.name]
            others = [other.values[column.name] for other in known]
            as_good = sum(own >= other if column.more_is_better else own <= other for other in others)
            assert one.stars[column.name] == math.ceil(5 * as_good / len(others))
        assert all(one.stars[column.name] == 0 for one in matrix.models if one not in known)
    assert (stars(3), stars(0)) == ("★★★", "–")


def test_a_record_survives_being_written_and_counts_its_failures(tmp_path):
    trials = (Trial(seed=0, core_s=60, quality=0.5), Trial(seed=1, core_s=60, failure="weights that are not finite"))
    record = Record(
        core_s=60,
        pictures=1000,
        seeds=(0, 1),
        machine="m",
        torch="t",
        judged="j",
        models={"a": Trials(steps=10, batch=8, trials=trials)},
    )
    write(record, tmp_path / "record.json")
    again = read(tmp_path / "record.json")
    assert again == record
    assert (again.models["a"].failures, again.models["a"].spread, again.models["a"].mean) == (1, None, 0.5)


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_the_picture_is_the_same_for_the_same_figures(tmp_path, suffix):
    matrix = compare(SHIPPED_DIRECTORY, RECORD)
    for name in ("one", "two"):
        write_plot(matrix, tmp_path / f"{name}{suffix}")
    one, two = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("one", "two"))
    assert one == two
    assert len(one) > 5000
