"""Encoding, decoding and scoring files: pictures, tables and latents."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sextant.samples import sample
from tests.cli.conftest import done, run, told

BAG, SNEAKER = str(sample("fashion-bag")), str(sample("fashion-sneaker"))


def test_what_is_encoded_to_a_file_is_decoded_from_it_without_loss(glow, tmp_path):
    latents, back, grid = tmp_path / "latents", tmp_path / "back", tmp_path / "grid.png"
    done("encode", BAG, SNEAKER, "--out", latents, "--target", glow)
    with np.load(latents / "fashion-bag.npz", allow_pickle=False) as saved:
        assert str(saved["space"]) == "fashion-glow/z"
        assert saved["mean"].shape == (784,)
    files = [latents / f"fashion-{name}.npz" for name in ("bag", "sneaker")]
    found = json.loads(done("decode", *files, "--out", back, "--grid", grid, "--json", "--target", glow).stdout)
    assert [one["model"] for one in found] == ["fashion-glow"] * 2
    for one, given in zip(found, (BAG, SNEAKER), strict=True):
        assert (np.asarray(Image.open(one["file"])) == np.asarray(Image.open(given))).all()
    assert Image.open(grid).size == (2 * 88 + 4, 92)
    done("interpolate", files[0], "--out", tmp_path / "path.gif", "--target", glow)


def test_a_vae_encodes_to_a_mean_and_a_variance_which_decoding_takes_to_a_file(vae, tmp_path):
    done("encode", BAG, "--out", tmp_path / "bag.npz", "--target", vae)
    with np.load(tmp_path / "bag.npz", allow_pickle=False) as saved:
        assert saved["mean"].shape == saved["variance"].shape == (16,)
        assert (saved["variance"] > 0).all()
    assert done(
        "decode", tmp_path / "bag.npz", "--out", tmp_path / "back.webp", "--target", vae
    ).stdout.splitlines() == [
        str(tmp_path / "back.webp"),
        "by fashion-vae",
    ]
    assert Image.open(tmp_path / "back.webp").size == (28, 28)


def test_a_latent_of_another_space_is_refused_by_the_name_of_its_file(vae, glow, tmp_path):
    done("encode", BAG, "--out", tmp_path / "bag.npz", "--target", glow)
    refused = run("decode", tmp_path / "bag.npz", "--model", "fashion-vae", "--target", vae)
    assert f"{tmp_path / 'bag.npz'} (latents[0].space)" in told(refused)


def test_a_table_is_encoded_whole_and_comes_back_as_a_table(moons, tmp_path):
    made = tmp_path / "made.csv"
    done("generate", "table", "--rows", "20", "--seed", "1", "--out", made, "--target", moons)
    done("encode", made, "--out", tmp_path / "latents", "--target", moons)
    done("decode", tmp_path / "latents" / "made.npz", "--out", tmp_path / "back", "--target", moons)
    given, back = (np.loadtxt(path, delimiter=",", skiprows=1) for path in (made, tmp_path / "back" / "made.csv"))
    assert np.allclose(given, back, atol=1e-5)
    refused = run("decode", tmp_path / "latents" / "made.npz", "--out", tmp_path / "back.png", "--target", moons)
    assert refused.exit_code == 1
    assert "of kind table" in told(refused)


def test_pictures_are_scored_exactly_and_the_figures_kept(glow, tmp_path):
    noise = tmp_path / "noise.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)).save(noise)
    out = tmp_path / "figures" / "scores.csv"
    found = json.loads(done("score", BAG, noise, "--exact", "--out", out, "--json", "--target", glow).stdout)
    nats = [one["likelihood"]["log_likelihood_nats"] for one in found]
    assert nats[0] > nats[1]
    # Of 256 equally likely values, noise needs 8 bits a pixel; a model of clothes more.
    assert found[1]["bits_per_dimension"] > 8 > found[0]["bits_per_dimension"]
    lines = list(csv.DictReader(out.open()))
    assert [(line["item"], line["estimator"]) for line in lines] == [
        ("fashion-bag.png", "exact"),
        ("noise.png", "exact"),
    ]
    assert [float(line["nats"]) for line in lines] == nats
    assert [float(line["standard_error_nats"]) for line in lines] == [0.0, 0.0]


def test_more_importance_samples_tighten_the_bound_and_it_is_called_one(vae):
    found = [
        json.loads(done("score", BAG, "--seed", "1", "--importance-samples", k, "--json", "--target", vae).stdout)[0]
        for k in (1, 500)
    ]
    assert found[0]["likelihood"]["log_likelihood_nats"] < found[1]["likelihood"]["log_likelihood_nats"]
    assert {one["likelihood"]["estimator"] for one in found} == {"lower_bound"}


def test_an_exact_likelihood_is_never_replaced_by_a_bound(vae):
    assert run("score", BAG, "--exact", "--target", vae).exit_code == 1


def test_the_same_picture_scores_the_same_however_many_requests_it_takes(vae):
    """257 items are two requests, and the VAE's bound is random: one seed must serve both."""
    found = json.loads(done("score", *[BAG] * 257, "--importance-samples", "1", "--json", "--target", vae).stdout)
    assert len({one["likelihood"]["log_likelihood_nats"] for one in found}) == 1


def test_every_row_of_a_table_is_scored_on_its_own(moons, tmp_path):
    made, one = tmp_path / "made.csv", tmp_path / "one.csv"
    done("generate", "table", "--rows", "300", "--seed", "1", "--out", made, "--target", moons)
    lines = made.read_text().splitlines()
    one.write_text(f"{lines[0]}\n\n{lines[300]}\n")
    scored, alone = (json.loads(done("score", path, "--json", "--target", moons).stdout) for path in (made, one))
    assert [each["item"] for each in scored] == [f"made.csv:{line}" for line in range(2, 302)]
    assert {each["likelihood"]["dimensions"] for each in scored} == {2}
    assert (alone[0]["item"], alone[0]["likelihood"]) == ("one.csv:3", scored[299]["likelihood"])


def test_what_is_in_a_file_as_well_is_not_all_shown(moons, tmp_path):
    made, out = tmp_path / "made.csv", tmp_path / "scores.csv"
    done("generate", "table", "--rows", "30", "--seed", "1", "--out", made, "--target", moons)
    shown = done("score", made, "--out", out, "--target", moons).stdout
    assert "and 10 more" in shown
    nats = [float(line["nats"]) for line in csv.DictReader(out.open())]
    assert f"mean of 30: {np.mean(nats):.3f} nats" in shown
    assert "more" not in done("score", made, "--target", moons).stdout


def test_a_table_on_the_terminal_is_the_table_in_a_file_and_in_json(moons, tmp_path):
    table = ("generate", "table", "--rows", "5", "--seed", "1", "--target", moons)
    done(*table, "--out", tmp_path / "new" / "rows.csv")
    written = (tmp_path / "new" / "rows.csv").read_text()
    assert done(*table).stdout == written
    found = json.loads(done(*table, "--json").stdout)
    rows = [[float(cell) for cell in line.split(",")] for line in written.split()[1:]]
    assert found["columns"] == ["x", "y"]
    assert np.array_equal(np.float32(found["values"]), np.float32(rows))
    assert found["receipt"]["model"] == "moons-realnvp"


def test_a_cell_that_no_model_takes_is_refused_by_its_line(moons, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("x,y\n1,2\n1,nan\n")
    assert "rows.csv:3 (items[1].table" in told(run("score", path, "--target", moons))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("score", "nope.png"), "nope.png"),
        (("score", BAG, "a text"), "do not go together"),
        (("score", BAG, "--context", "a text"), "--context"),
        (("score", BAG, "--out", "scores.txt"), ".csv"),
        (("encode", BAG, "--rank", "a text"), "--rank"),
        (("encode", BAG, BAG, "--out", "latents"), "called fashion-bag"),
        (("encode", BAG, "--out", "vectors.npy"), ".npz"),
        (("decode", BAG), "no latent"),
        (("decode", "nope.npz"), "cannot be read"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(arguments, said):
    refused = run(*arguments, "--target", "127.0.0.1:1")
    assert refused.exit_code == 2
    assert said in told(refused)


def test_a_file_of_a_kind_that_is_not_read_is_no_text(tmp_path: Path):
    (tmp_path / "picture.bmp").write_bytes(b"BM")
    refused = run("score", tmp_path / "picture.bmp", "--target", "127.0.0.1:1")
    assert refused.exit_code == 2
    assert "must end in one of" in told(refused)
