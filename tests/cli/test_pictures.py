"""Pictures, tables, paths and latents on the command line: files that really are there, and are what they say."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from sextant.bundles.store import SHIPPED_DIRECTORY
from sextant.cli.app import app
from sextant.cli.contact_sheet import write_sheet
from sextant.client import ClientError
from sextant.contract import media
from sextant.samples import sample
from tests.client.conftest import serving

BAG, SNEAKER = str(sample("fashion-bag")), str(sample("fashion-sneaker"))


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    # What `sextant` prints as plain lines at its end, see `terminal.complain`.
    assert isinstance(result.exception, SystemExit | ClientError | None), result.exception
    return result


@pytest.fixture(scope="module")
def vae() -> Iterator[str]:
    with serving("sextant.families.vae:FAMILY", "fashion-vae", SHIPPED_DIRECTORY) as address:
        yield address


@pytest.fixture(scope="module")
def glow() -> Iterator[str]:
    with serving("sextant.families.flow:FAMILY", "fashion-glow", SHIPPED_DIRECTORY) as address:
        yield address


@pytest.fixture(scope="module")
def moons() -> Iterator[str]:
    with serving("sextant.families.flow:FAMILY", "moons-realnvp", SHIPPED_DIRECTORY) as address:
        yield address


def test_pictures_are_written_as_they_are_named_with_a_sheet_of_them_all(vae, tmp_path):
    out, grid = tmp_path / "made", tmp_path / "grid.png"
    done = run("generate", "image", "--count", "5", "--seed", "3", "--out", out, "--grid", grid, "--target", vae)
    names = sorted(path.name for path in out.iterdir())
    assert names == [f"fashion-vae-3-{number}.png" for number in range(5)]
    assert all(Image.open(out / name).size == (28, 28) for name in names)
    assert done.stdout.splitlines()[-1].startswith("fashion-vae in ")
    # Three in a row, three times enlarged, four pixels apart.
    assert Image.open(grid).size == (3 * 88 + 4, 2 * 88 + 4)
    first = np.asarray(Image.open(out / names[0]))
    assert (np.asarray(Image.open(grid))[4:88:3, 4:88:3, 0] == first).all()


def test_the_same_seed_writes_the_same_files_and_temperature_zero_one_picture_alone(vae, tmp_path):
    for name in ("a", "b"):
        run("generate", "image", "--seed", "3", "--out", tmp_path / f"{name}.png", "--target", vae)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    cold = ("generate", "image", "--count", "3", "--temperature", "0", "--out", tmp_path / "cold", "--target", vae)
    run(*cold)
    assert len({path.read_bytes() for path in (tmp_path / "cold").iterdir()}) == 1


@pytest.mark.parametrize(("suffix", "kind"), [("png", "PNG"), ("webp", "WEBP"), ("jpeg", "JPEG")])
def test_pictures_come_in_the_format_asked_for(vae, tmp_path, suffix, kind):
    run("generate", "image", "--format", suffix, "--out", tmp_path, "--target", vae)
    (path,) = tmp_path.iterdir()
    assert Image.open(path).format == kind


def test_json_names_the_files_the_decision_and_the_receipt(vae, tmp_path):
    done = run("generate", "image", "--out", tmp_path, "--json", "--target", vae)
    told = json.loads(done.stdout)
    assert [Path(name).exists() for name in told["files"]] == [True]
    assert told["receipt"]["model"] == told["decision"]["model"] == "fashion-vae"


def test_a_path_is_an_animation_of_as_many_frames_as_asked_or_there_and_back(vae, tmp_path):
    once, loop, frames = tmp_path / "once.gif", tmp_path / "loop.webp", tmp_path / "frames"
    run("interpolate", SNEAKER, BAG, "--frames", "6", "--out", once, "--target", vae)
    run("interpolate", "--frames", "6", "--loop", "--out", loop, "--target", vae)
    run("interpolate", "--frames", "6", "--traverse", "2", "--out", frames, "--target", vae)
    assert Image.open(once).n_frames == 6
    assert Image.open(loop).n_frames == 10
    assert len(list(frames.glob("frame-*.png"))) == 6


def test_what_is_encoded_to_a_file_is_decoded_from_it_without_loss(glow, tmp_path):
    run("encode", BAG, SNEAKER, "--out", tmp_path / "latents", "--target", glow)
    with np.load(tmp_path / "latents" / "fashion-bag.npz", allow_pickle=False) as saved:
        assert str(saved["space"]) == "fashion-glow/z"
        assert saved["mean"].shape == (784,)
    run("decode", tmp_path / "latents" / "fashion-bag.npz", "--out", tmp_path / "back", "--target", glow)
    back, given = (np.asarray(Image.open(path)) for path in (tmp_path / "back" / "fashion-bag.png", BAG))
    assert (back == given).all()
    done = run("interpolate", tmp_path / "latents" / "fashion-bag.npz", "--out", tmp_path / "p.gif", "--target", glow)
    assert done.exit_code == 0


def test_pictures_are_scored_exactly_and_the_figures_kept(glow, tmp_path):
    noise = tmp_path / "noise.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)).save(noise)
    out = tmp_path / "scores.csv"
    done = run("score", BAG, noise, "--exact", "--out", out, "--json", "--target", glow)
    bag, random = json.loads(done.stdout)
    assert bag["likelihood"]["log_likelihood_nats"] > random["likelihood"]["log_likelihood_nats"]
    lines = list(csv.reader(out.open()))
    assert lines[0] == ["nats", "standard error", "bits/dimension", "kind", "item"]
    assert [line[3:] for line in lines[1:]] == [["exact", "fashion-bag.png"], ["exact", "noise.png"]]


def test_every_row_of_a_table_is_scored_on_its_own_and_tables_are_made(moons, tmp_path):
    made = tmp_path / "made.csv"
    run("generate", "table", "--rows", "300", "--seed", "1", "--out", made, "--target", moons)
    lines = list(csv.reader(made.open()))
    assert lines[0] == ["x", "y"]
    assert len(lines) == 301
    done = run("score", made, "--json", "--target", moons)
    scored = json.loads(done.stdout)
    assert len(scored) == 300
    assert scored[0]["item"] == "made.csv:2"
    assert {one["likelihood"]["dimensions"] for one in scored} == {2}


def test_an_edit_is_written_beside_its_source(glow, tmp_path):
    run("transform", SNEAKER, "--attribute", "high-top=1", "--out", tmp_path, "--grid", tmp_path / "grid.png",
        "--target", glow)  # fmt: skip
    made = np.asarray(Image.open(tmp_path / "fashion-sneaker-fashion-glow.png"))
    assert made.shape == (28, 28)
    assert (made != np.asarray(Image.open(SNEAKER))).any()
    assert Image.open(tmp_path / "grid.png").size == (92, 180)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("score", "nope.png"), "nope.png"),
        (("score", BAG, "a text"), "do not go together"),
        (("decode", BAG), "no latent"),
        (("transform", "nope.png"), "nope.png"),
        (("interpolate", "--out", "path.png"), ".gif"),
        (("generate", "image", "--attribute", "bright"), "NAME=VALUE"),
        (("generate", "image", "--truncation", "0.5", "--temperature", "0.5"), "--temperature"),
        (("interpolate", str(sample("noto-apple"))), "64 x 64"),
        (("generate", "image", "--model", "fashion-vae", "--class", "bag"), "conditions.class_label"),
        (("generate", "image", "--model", "fashion-vae", "--truncation", "0.5"), "gan"),
    ],
)
def test_what_is_wrong_is_said_in_a_plain_line(vae, arguments, said):
    done = run(*arguments, "--target", vae)
    assert done.exit_code != 0
    assert said in " ".join(f"{done.output} {done.exception}".replace("│", " ").split())


def test_a_file_that_is_no_picture_is_refused_before_anything_is_sent(tmp_path):
    false = tmp_path / "false.png"
    false.write_bytes(b"not a picture")
    done = run("score", false, "--target", "127.0.0.1:1")
    assert done.exit_code == 2
    assert "is not a picture" in " ".join(done.output.replace("│", " ").split())


def test_large_pictures_are_not_enlarged_on_a_sheet(tmp_path):
    write_sheet(tmp_path / "sheet.png", [media.Image(np.zeros((64, 64, 3), np.uint8))] * 4, columns=4)
    assert Image.open(tmp_path / "sheet.png").size == (4 * 68 + 4, 72)
