"""Pictures on the command line, made, changed and walked between: files that are there, and are what they say."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sextant.client import Answer, EventStream
from sextant.samples import sample
from tests.cli.conftest import done, run, told

BAG, SNEAKER, APPLE, TULIP = (
    str(sample(name)) for name in ("fashion-bag", "fashion-sneaker", "noto-apple", "noto-tulip")
)


def pixels(path: str | Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_pictures_are_written_as_they_are_named_with_a_sheet_of_them_all(vae, tmp_path):
    out, grid = tmp_path / "made", tmp_path / "sheets" / "grid.png"
    result = done("generate", "image", "--count", "5", "--seed", "3", "--out", out, "--grid", grid, "--target", vae)
    names = sorted(path.name for path in out.iterdir())
    assert names == [f"fashion-vae-3-{number}.png" for number in range(5)]
    *lines, last = result.stdout.splitlines()
    assert sorted(lines) == [f"{out / name}  28 x 28" for name in names]
    assert last.startswith("fashion-vae in ")
    assert "seed 3: " in last
    # Three in a row, three times enlarged, four pixels apart.
    sheet = pixels(grid)
    assert sheet.shape == (2 * 88 + 4, 3 * 88 + 4, 3)
    for number, name in enumerate(names):
        top, left = 4 + 88 * (number // 3), 4 + 88 * (number % 3)
        assert (sheet[top : top + 84, left : left + 84, 0] == np.kron(pixels(out / name), np.ones((3, 3)))).all()


def test_each_picture_is_on_disk_before_the_next_one_is_waited_for(vae, tmp_path, monkeypatch):
    seen = []
    events = EventStream.events

    def watched(stream):
        for event in events(stream):
            yield event
            if isinstance(event, Answer):
                seen.append(len(list(tmp_path.iterdir())))

    monkeypatch.setattr(EventStream, "events", watched)
    done("generate", "image", "--count", "3", "--out", tmp_path, "--target", vae)
    assert seen == [1, 2, 3]


def test_the_same_seed_writes_the_same_files_and_temperature_zero_one_picture_alone(vae, tmp_path):
    for name in ("a", "b"):
        done("generate", "image", "--seed", "3", "--out", tmp_path / f"{name}.png", "--target", vae)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    done("generate", "image", "--count", "3", "--temperature", "0", "--out", tmp_path / "cold", "--target", vae)
    assert len({path.read_bytes() for path in (tmp_path / "cold").iterdir()}) == 1


@pytest.mark.parametrize(("suffix", "kind", "loss"), [("png", "PNG", 0), ("webp", "WEBP", 0), ("jpeg", "JPEG", 40)])
def test_pictures_come_in_the_format_asked_for_and_only_jpeg_loses_anything(vae, tmp_path, suffix, kind, loss):
    done("generate", "image", "--seed", "1", "--format", suffix, "--out", tmp_path / "made", "--target", vae)
    done("generate", "image", "--seed", "1", "--out", tmp_path / "plain.png", "--target", vae)
    (path,) = (tmp_path / "made").iterdir()
    assert Image.open(path).format == kind
    found, wanted = (np.asarray(Image.open(one).convert("L"), int) for one in (path, tmp_path / "plain.png"))
    assert abs(found - wanted).max() <= loss


def test_a_directory_may_look_like_a_file(vae, tmp_path):
    (tmp_path / "run.v2").mkdir()
    done("generate", "image", "--seed", "1", "--out", tmp_path / "run.v2", "--target", vae)
    assert (tmp_path / "run.v2" / "fashion-vae-1-0.png").exists()


def test_json_names_the_files_the_decision_and_the_receipt(vae, tmp_path):
    found = json.loads(done("generate", "image", "--count", "2", "--out", tmp_path, "--json", "--target", vae).stdout)
    assert [Path(name).exists() for name in found["files"]] == [True, True]
    assert found["receipt"]["model"] == found["decision"]["model"] == "fashion-vae"


def test_temperature_is_for_the_family_of_the_model_that_is_named(glow, faces, tmp_path):
    cold = ("generate", "image", "--count", "2", "--temperature", "0", "--out", tmp_path)
    done(*cold, "--model", "fashion-glow", "--target", glow)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    refused = run(*cold, "--model", "faces-stylegan", "--target", faces)
    assert refused.exit_code == 2
    assert "gan" in told(refused)


def test_truncated_to_nothing_faces_differ_by_their_noise_alone_and_mixing_changes_a_face(faces, tmp_path):
    image = ("generate", "image", "--seed", "2", "--target", faces, "--out")
    apart = {}
    for truncation in (0, 1):
        out = tmp_path / str(truncation)
        done(*image, out, "--count", "2", "--truncation", truncation)
        first, second = (pixels(path).astype(float) for path in sorted(out.iterdir()))
        apart[truncation] = abs(first - second).mean()
    assert apart[0] < 0.2 * apart[1]
    done(*image, tmp_path / "own.png")
    done(*image, tmp_path / "mixed.png", "--mixing-layer", "2")
    assert (pixels(tmp_path / "own.png") != pixels(tmp_path / "mixed.png")).any()


def test_a_path_is_an_animation_of_as_many_frames_as_asked_or_there_and_back(vae, tmp_path):
    once, loop, frames = tmp_path / "once.GIF", tmp_path / "loop.webp", tmp_path / "frames"
    done("interpolate", SNEAKER, BAG, "--frames", "6", "--fps", "20", "--out", once, "--target", vae)
    done("interpolate", "--frames", "6", "--loop", "--out", loop, "--target", vae)
    assert Image.open(once).n_frames == 6
    assert Image.open(once).info["duration"] == 50
    assert Image.open(loop).n_frames == 10
    walk = ("interpolate", "--frames", "6", "--seed", "1", "--out", frames, "--grid", tmp_path / "grid.png")
    found = json.loads(done(*walk, "--traverse", "2", "--json", "--target", vae).stdout)
    assert found["files"] == [str(frames / f"frame-{number:03d}.png") for number in range(6)]
    assert found["frames"] == len(list(frames.iterdir())) == 6
    assert Image.open(tmp_path / "grid.png").size == (3 * 88 + 4, 2 * 88 + 4)
    assert (pixels(frames / "frame-000.png") != pixels(frames / "frame-005.png")).any()


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_an_animation_shows_the_very_frames_enlarged(vae, tmp_path, suffix):
    walk = ("interpolate", SNEAKER, BAG, "--frames", "3", "--target", vae, "--out")
    done(*walk, tmp_path / "frames")
    done(*walk, tmp_path / f"walk.{suffix}")
    animation = Image.open(tmp_path / f"walk.{suffix}")
    for number in range(3):
        animation.seek(number)
        frame = pixels(tmp_path / "frames" / f"frame-{number:03d}.png")
        assert (np.asarray(animation.convert("L"))[::4, ::4] == frame).all()


def test_a_linear_path_and_a_spherical_one_share_their_ends_alone(vae, tmp_path):
    for path in ("linear", "spherical"):
        walk = ("interpolate", "--frames", "3", "--seed", "1", "--path", path, "--out", tmp_path / path)
        done(*walk, "--target", vae)
    same = [(pixels(a) == pixels(b)).all() for a, b in zip(*(sorted((tmp_path / p).iterdir()) for p in
            ("linear", "spherical")), strict=True)]  # fmt: skip
    assert same == [True, False, True]


def test_translations_are_written_beside_their_names_and_shown_under_their_sources(emoji, tmp_path):
    grid = tmp_path / "grid.png"
    translate = ("transform", APPLE, TULIP, "--direction", "noto-to-fluent", "--out", tmp_path, "--target", emoji)
    result = done(*translate, "--grid", grid)
    made = [tmp_path / f"noto-{name}-emoji-cyclegan.png" for name in ("apple", "tulip")]
    assert result.stdout.splitlines()[:2] == [str(path) for path in made]
    sheet = pixels(grid)
    assert sheet.shape == (2 * 68 + 4, 2 * 68 + 4, 3)
    for number, path in enumerate(made):
        assert (sheet[72:136, 4 + 68 * number : 68 + 68 * number] == pixels(path)[..., :3]).all()
    found = json.loads(done(*translate, "--json").stdout)
    assert [(one["source"], one["file"]) for one in found] == list(zip((APPLE, TULIP), map(str, made), strict=True))
    assert {one["receipt"]["model"] for one in found} == {"emoji-cyclegan"}


def test_an_edit_is_written_beside_its_source_or_to_the_file_named(glow, tmp_path):
    edit = ("transform", SNEAKER, "--attribute", "high-top=1", "--target", glow, "--out")
    done(*edit, tmp_path, "--grid", tmp_path / "grid.png")
    made = pixels(tmp_path / "fashion-sneaker-fashion-glow.png")
    assert made.shape == (28, 28)
    assert (made != pixels(SNEAKER)).any()
    assert Image.open(tmp_path / "grid.png").size == (92, 180)
    done(*edit, tmp_path / "edited.png")
    assert (pixels(tmp_path / "edited.png") == made).all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("transform", "nope.png"), "nope.png"),
        (("transform", "Paris is the [MASK]."), "is no picture"),
        (("transform", BAG, BAG), "called fashion-bag"),
        (("transform", BAG, SNEAKER, "--out", "one.png"), "one file for 2 results"),
        (("interpolate", "--out", "path.png"), ".gif"),
        (("interpolate", "--out", "frames", "--loop"), "--loop"),
        (("interpolate", "nope.png"), "nope.png"),
        (("generate", "image", "--attribute", "bright"), "NAME=VALUE"),
        (("generate", "image", "--truncation", "0.5", "--temperature", "0.5"), "--temperature"),
        (("generate", "image", "--family", "codes", "--temperature", "1", "--steps", "5"), "--family codes"),
        (("generate", "image", "--count", "3", "--out", "one.png"), "one file for 3 results"),
        (("generate", "image", "--out", "one.bmp"), ".png, .jpg, .jpeg, .webp"),
        (("generate", "image", "--out", "one.png", "--format", "webp"), "do not agree"),
        (("generate", "image", "--grid", "grid.pdf"), ".png, .jpg, .jpeg, .webp"),
        (("generate", "table", "--out", "rows.xls"), ".csv"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(arguments, said):
    refused = run(*arguments, "--target", "127.0.0.1:1")
    assert refused.exit_code == 2
    assert said in told(refused)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("interpolate", APPLE, "--model", "fashion-vae"), f"{APPLE} (start.image): is 64 x 64 pixels"),
        (("score", BAG, APPLE, "--model", "fashion-vae"), "noto-apple.png (items[1].image): is 64 x 64 pixels"),
        (("score", APPLE), "64 x 64"),
        (("generate", "image", "--model", "fashion-vae", "--class", "bag"), "conditions.class_label"),
        (("generate", "image", "--model", "fashion-vae", "--truncation", "0.5"), "gan"),
        (("interpolate", "--frames", "1"), "frames: must be from 2 to 256"),
    ],
)
def test_what_the_server_refuses_is_said_with_the_file_that_it_is_about(vae, arguments, said):
    refused = run(*arguments, "--target", vae)
    assert refused.exit_code == 1
    assert said in told(refused)
