"""How fast models are, measured apart from how good they are."""

import shutil

from sextant.bundles.store import SHIPPED_DIRECTORY, open_bundle
from sextant.zoo.evaluate.report import measure_speed


def test_measuring_speed_leaves_the_other_figures_and_the_files_as_they_were(tmp_path):
    shutil.copytree(SHIPPED_DIRECTORY / "moons-realnvp", tmp_path / "moons-realnvp")
    before = open_bundle(tmp_path / "moons-realnvp").manifest
    (latency,) = measure_speed(tmp_path / "moons-realnvp")
    after = open_bundle(tmp_path / "moons-realnvp").manifest
    assert latency.name == "latency"
    assert latency.value > 0
    assert [one.name for one in after.measurements] == [one.name for one in before.measurements]
    kept = [one for one in after.measurements if one.name != "latency"]
    assert kept == [one for one in before.measurements if one.name != "latency"]
    assert after.model_copy(update={"measurements": before.measurements}) == before


def test_diffusion_is_measured_in_several_ways_and_sound_against_real_time(tmp_path):
    for name, expected in (
        ("fashion-diffusion", {"latency", "dpm-solver++2m/5/latency", "ddim/100/latency"}),
        ("digits-wavenet", {"latency", "real_time_factor"}),
    ):
        shutil.copytree(SHIPPED_DIRECTORY / name, tmp_path / name)
        assert expected <= {one.name for one in measure_speed(tmp_path / name)}
