"""`sextant route` with its short forms, and `sextant compare`, which needs no gateway."""

import json

import pytest
import typer

from sextant.bundles.store import SHIPPED_DIRECTORY
from sextant.cli.route import _seconds, _task
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind


@pytest.mark.parametrize(
    ("given", "seconds"), [("80ms", 0.08), ("2s", 2.0), ("1.5 s", 1.5), ("0.25", 0.25), ("2min", 120.0), ("", 0.0)]
)
def test_a_deadline_is_a_duration(given, seconds):
    assert _seconds(given) == pytest.approx(seconds)


@pytest.mark.parametrize("given", ["soon", "80 parsec", "-1s", "ms"])
def test_what_is_no_duration_is_refused(given):
    with pytest.raises(typer.BadParameter, match="80ms"):
        _seconds(given)


def test_what_is_made_is_short_for_generating_it():
    assert _task("image", None, "") == (TaskKind.GENERATE, Modality.IMAGE)
    assert _task("score", None, "") == (TaskKind.SCORE, None)
    assert _task("", Modality.TEXT, "") == (TaskKind.GENERATE, Modality.TEXT)
    assert _task("", None, "a quick picture") == (None, None)
    for wrong in (("dance", None, ""), ("image", Modality.TEXT, ""), ("image", None, "a quick picture")):
        with pytest.raises(typer.BadParameter):
            _task(*wrong)


def test_a_route_in_short_is_the_route_in_full(sextant):
    short = sextant("route", "--task", "image", "--priority", "speed", "--deadline", "80ms", "--json")
    full = sextant("route", "--task", "generate", "--output", "image", "--priority", "speed", "--json")
    assert json.loads(short.out)["rule"] == json.loads(full.out)["rule"]
    assert (short.code, full.code) == (1, 1), "the stand-in serves no pictures"


def test_the_families_are_compared_as_a_table_as_data_and_as_a_page(sextant, tmp_path):
    assert "★" in sextant("compare").out
    told = json.loads(sextant("compare", "--json").out)
    assert [column["name"] for column in told["properties"]][:2] == ["quality", "recall"]
    assert {one["family"] for one in told["models"]} >= {"gan", "vae", "diffusion", "autoregressive", "flow"}
    page, picture = tmp_path / "page.md", tmp_path / "bars.svg"
    done = sextant("compare", "--markdown", str(page), "--plot", str(picture), "--bundles", str(SHIPPED_DIRECTORY))
    assert done.code == 0
    assert "bars.svg" in page.read_text()
    assert picture.read_text().lstrip().startswith("<?xml")
    assert sextant("compare", "--plot", str(tmp_path / "bars.gif")).code == 2
